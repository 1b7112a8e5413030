using Mono.Cecil;
using Mono.Cecil.Cil;

namespace FenceGateway.Architecture.Tests;

/// <summary>
/// Which folder of a project uses which, by what its compiled code refers to. A folder is a namespace.
/// </summary>
internal sealed class FolderGraph
{
    private readonly string _root;
    private readonly SortedDictionary<string, SortedSet<string>> _uses = new(StringComparer.Ordinal);

    private FolderGraph(string root) => _root = root;

    /// <summary>The folders with those that each uses, by name.</summary>
    public IReadOnlyDictionary<string, SortedSet<string>> Uses => _uses;

    /// <summary>Reads an assembly.</summary>
    /// <param name="assembly">Path of the file.</param>
    /// <param name="root">The namespace of the project's own folder.</param>
    public static FolderGraph Of(string assembly, string root)
    {
        var graph = new FolderGraph(root);
        using var module = ModuleDefinition.ReadModule(assembly);
        foreach (var type in module.GetTypes())
        {
            graph.Add(type);
        }

        return graph;
    }

    /// <summary>
    /// The folders from the lowest, which uses no other, to the highest; those that use each other in a circle are one
    /// entry.
    /// </summary>
    public IReadOnlyList<string[]> Layers()
    {
        var reach = _uses.Keys.ToDictionary(folder => folder, Reachable, StringComparer.Ordinal);
        var circles = _uses.Keys
            .Select(
                folder => _uses.Keys.Where(
                    other => other == folder
                        || (reach[folder].Contains(other) && reach[other].Contains(folder))).ToArray())
            .DistinctBy(circle => circle[0])
            .ToList();
        return [.. circles.OrderBy(circle => reach[circle[0]].Count).ThenBy(circle => circle[0], StringComparer.Ordinal)];
    }

    private HashSet<string> Reachable(string folder)
    {
        var reached = new HashSet<string>(StringComparer.Ordinal);
        var open = new Stack<string>([folder]);
        while (open.TryPop(out var next))
        {
            foreach (var used in _uses[next].Where(reached.Add))
            {
                open.Push(used);
            }
        }

        return reached;
    }

    private void Add(TypeDefinition type)
    {
        if (FolderOf(type) is not { } folder)
        {
            return;
        }

        Use(folder, type.BaseType);
        Use(folder, [.. type.Interfaces.Select(i => i.InterfaceType), .. type.Fields.Select(f => f.FieldType)]);
        foreach (var method in type.Methods)
        {
            Use(folder, method);
            foreach (var instruction in method.HasBody ? method.Body.Instructions : [])
            {
                Use(folder, instruction);
            }
        }
    }

    private void Use(string folder, Instruction instruction)
    {
        switch (instruction.Operand)
        {
            case MethodReference method:
                Use(folder, method);
                break;
            case FieldReference field:
                Use(folder, field.DeclaringType, field.FieldType);
                break;
            case TypeReference type:
                Use(folder, type);
                break;
        }
    }

    private void Use(string folder, MethodReference method)
    {
        Use(folder, method.DeclaringType, method.ReturnType);
        Use(folder, [.. method.Parameters.Select(parameter => parameter.ParameterType)]);
        if (method is GenericInstanceMethod generic)
        {
            Use(folder, [.. generic.GenericArguments]);
        }
    }

    private void Use(string folder, params TypeReference?[] types)
    {
        foreach (var type in types)
        {
            if (type is GenericInstanceType generic)
            {
                Use(folder, [.. generic.GenericArguments]);
            }

            if (type?.GetElementType() is { } element && FolderOf(element) is { } used && used != folder)
            {
                _uses[folder].Add(used);
            }
        }
    }

    /// <summary>Null for what is not the project's own; the name of its own folder for what stands in none.</summary>
    private string? FolderOf(TypeReference type)
    {
        while (type.DeclaringType is { } outer)
        {
            type = outer;
        }

        if (type.Scope is AssemblyNameReference
            || !(type.Namespace + ".").StartsWith(_root + ".", StringComparison.Ordinal))
        {
            return null;
        }

        var folder = type.Namespace.Length == _root.Length
            ? "."
            : type.Namespace[(_root.Length + 1)..].Replace('.', '/');
        _uses.TryAdd(folder, new SortedSet<string>(StringComparer.Ordinal));
        return folder;
    }
}

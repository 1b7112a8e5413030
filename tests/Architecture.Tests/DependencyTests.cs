using System.Reflection;
using System.Runtime.InteropServices;
using System.Xml.Linq;
using FenceGateway.Fencing;
using FenceGateway.Gateway.Problems;
using FenceGateway.Idempotency;
using FenceGateway.Replication;
using FenceGateway.TokenStore;

namespace FenceGateway.Architecture.Tests;

/// <summary>
/// Dependencies run one way: Fencing and DurableLog ← TokenStore, Idempotency ← Replication ← Gateway.
/// </summary>
public sealed class DependencyTests
{
    private static readonly Dictionary<string, string[]> Allowed = new(StringComparer.Ordinal)
    {
        ["Fencing"] = [],
        ["DurableLog"] = [],
        ["TokenStore"] = ["DurableLog", "Fencing"],
        ["Idempotency"] = ["DurableLog"],
        ["Replication"] = ["TokenStore"],
        ["Gateway"] = ["Idempotency", "Replication", "TokenStore"],
    };

    /// <summary>Clients of the engines that stores keep their marks in.</summary>
    private static readonly string[] StoreClients =
    [
        "Google.Protobuf",
        "Grpc.Core.Api",
        "Grpc.Net.Client",
        "Grpc.Net.Common",
        "MySqlConnector",
        "Npgsql",
        "StackExchange.Redis",
    ];

    public static TheoryData<string> Projects => [.. ProjectFiles()];

    [Theory]
    [MemberData(nameof(Projects))]
    public void ProjectReferences_OfASourceProject_GoOneWay(string project)
    {
        var name = Path.GetFileNameWithoutExtension(project);
        Allowed.ShouldContainKey(name, $"Say in {nameof(DependencyTests)} what {name} may depend on.");
        var references = Included(project, "ProjectReference")
            .Select(path => Path.GetFileNameWithoutExtension(path.Replace('\\', '/')));
        references.Except(Allowed[name]).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("src/Fencing/Fencing.csproj")]
    [InlineData("src/DurableLog/DurableLog.csproj")]
    public void Base_ItsProjectFile_AsksForNoPackageAndNoOtherFramework(string project)
    {
        string[] items = ["PackageReference", "FrameworkReference", "Reference"];
        items.SelectMany(item => Included(project, item)).ShouldBeEmpty();
    }

    [Fact]
    public void Fencing_ItsAssembly_ReferencesTheBaseFrameworkOnly() =>
        References(typeof(FencingToken).Assembly).Where(name => !IsBaseFramework(name)).ShouldBeEmpty();

    [Fact]
    public void TokenStore_ItsAssembly_ReferencesFencingAbstractionsAndStoreClientsOnly() =>
        References(typeof(ITokenStore).Assembly)
            .Where(name => !IsBaseFramework(name) && !IsAbstraction(name) && !StoreClients.Contains(
                name, StringComparer.Ordinal)
                && name is not ("FenceGateway.Fencing" or "FenceGateway.DurableLog"))
            .ShouldBeEmpty("A token store must be usable without the gateway, YARP and a web server.");

    [Fact]
    public void Gateway_ItsAssembly_IsReferencedByNoOtherSourceAssembly()
    {
        var gateway = typeof(ProblemType).Assembly.GetName().Name!;
        References(typeof(FencingToken).Assembly).ShouldNotContain(gateway);
        References(typeof(ITokenStore).Assembly).ShouldNotContain(gateway);
        References(typeof(IIdempotencyStore).Assembly).ShouldNotContain(gateway);
        References(typeof(MarkReplicator).Assembly).ShouldNotContain(gateway);
    }

    private static IEnumerable<string> ProjectFiles() =>
        Repository.Files("src").Where(path => path.EndsWith(".csproj", StringComparison.Ordinal));

    private static IEnumerable<string> Included(string project, string item) =>
        XDocument.Parse(Repository.Read(project)).Descendants(item).Select(
            element => element.Attribute("Include")!.Value);

    private static IEnumerable<string> References(Assembly assembly) =>
        assembly.GetReferencedAssemblies().Select(name => name.Name!);

    private static bool IsBaseFramework(string name) =>
        File.Exists(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), name + ".dll"));

    private static bool IsAbstraction(string name) =>
        name == "Microsoft.Extensions.Options"
        || (name.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal)
            && name.EndsWith(".Abstractions", StringComparison.Ordinal));
}

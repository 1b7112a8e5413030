namespace FenceGateway.Protocol.Model.Tests;

/// <summary>
/// Puts a path into words. States do not say which of their gateways is which: the steps are taken again, without
/// sorting.
/// </summary>
internal static class ModelTrace
{
    public static IReadOnlyList<string> Of(
        ModelScope scope, ModelMemories memories, List<ModelState> path, string violation)
    {
        var sorted = new ModelSteps(scope, memories);
        var lines = new List<string>();
        var unsorted = new ModelSteps(scope, memories, sort: false);
        var at = ModelSteps.Start;
        foreach (var state in path)
        {
            (ModelState State, string Line)? taken = null;
            unsorted.Visit(at, (in ModelState next, int gateway, ModelStep step, int token, string? what) =>
            {
                if (taken is null && sorted.Sort(next) == state && (what == violation) == (state == path[^1]))
                {
                    taken = (next, $"{(char)('A' + gateway)}: {step}{(token == 0 ? "" : $" {token}")}");
                }
            });

            (at, var line) = taken ?? throw new InvalidOperationException("The path cannot be taken again.");
            lines.Add($"{lines.Count + 1,3}. {line}");
        }

        lines.Add($"     {violation}");
        return lines;
    }
}

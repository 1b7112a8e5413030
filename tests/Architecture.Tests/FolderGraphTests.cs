using FenceGateway.Gateway.Problems;

namespace FenceGateway.Architecture.Tests;

/// <summary>Between the folders of the gateway there is an order, and docs/architecture.md shows it.</summary>
public sealed class FolderGraphTests
{
    private static readonly FolderGraph Gateway = FolderGraph.Of(
        typeof(ProblemType).Assembly.Location, "FenceGateway.Gateway");

    /// <summary>The features of a request share one object: the one circle that is left.</summary>
    private static readonly string[] OneRequest =
    [
        "Fencing", "Forwarding", "Idempotency", "Requests", "Resilience", "Resilience/Bulkheads",
        "Resilience/CircuitBreaking",
        "Resilience/Retries",
    ];

    [Fact]
    public void Folders_OfTheGateway_UseEachOtherInNoOtherCircle() =>
        Gateway.Layers().Where(layer => layer.Length > 1).ShouldAllBe(
            circle => circle.All(folder => OneRequest.Contains(folder)));

    [Fact]
    public void Picture_InTheDocumentation_IsTheGraph() =>
        Repository.Read("docs/architecture.md").ShouldContain(Picture());

    private static string Picture() => string.Join('\n', Gateway.Layers().SelectMany(layer => layer).Select(
        folder => $"{folder} → {(Gateway.Uses[folder].Count == 0 ? "nothing" : string.Join(", ", Gateway.Uses[folder]))}"));
}

using System.Text.Json.Nodes;

namespace FenceGateway.Fleet.Tests.Stores;

/// <summary>Not shared at all: each gateway has marks of its own.</summary>
internal sealed class MemoryUnderTest : StoreUnderTest
{
    public override string Provider => "Memory";

    public override JsonObject Configuration(string prefix, IReadOnlyList<int> ports, TimeSpan sessionTtl) =>
        new() { [nameof(Provider)] = Provider };

    protected override Task<IReadOnlyList<StoreServer>> StartServersAsync() =>
        Task.FromResult<IReadOnlyList<StoreServer>>([]);

    protected override JsonObject Settings(string prefix, IReadOnlyList<int> ports) => [];
}

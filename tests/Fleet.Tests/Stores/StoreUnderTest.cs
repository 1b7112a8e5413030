using System.Globalization;
using System.Text.Json.Nodes;

namespace FenceGateway.Fleet.Tests.Stores;

/// <summary>
/// A shared token store with real servers, for several fleets one after the other or side by side: each gets a key
/// prefix of its own. A store is one small class.
/// </summary>
internal abstract class StoreUnderTest : IAsyncDisposable
{
    private int _lastFleet;

    /// <summary>As in the configuration: <c>TokenStore:Provider</c>, and the name of the provider's section.</summary>
    public abstract string Provider { get; }

    /// <summary>Its servers, once it was started.</summary>
    public IReadOnlyList<StoreServer> Servers { get; private set; } = [];

    /// <summary>How many servers have to be gone for the store to be gone.</summary>
    public int Majority => Servers.Count / 2 + 1;

    public async Task StartAsync() => Servers = await StartServersAsync();

    /// <summary>How long a session lives when a gateway asks for <paramref name="asked"/>.</summary>
    public virtual TimeSpan Grants(TimeSpan asked) => asked;

    /// <summary>A prefix that no other fleet has.</summary>
    public string NewPrefix() => "fleet" + Interlocked.Increment(ref _lastFleet).ToString(CultureInfo.InvariantCulture);

    /// <summary>
    /// The section <c>FenceGateway:TokenStore</c> of a gateway that reaches the servers at <paramref name="ports"/>.
    /// </summary>
    public virtual JsonObject Configuration(string prefix, IReadOnlyList<int> ports, TimeSpan sessionTtl) => new()
    {
        [nameof(Provider)] = Provider,
        ["SessionTtl"] = sessionTtl.ToString(),
        ["KeyPrefix"] = prefix,
        [Provider] = Settings(prefix, ports),
    };

    public async ValueTask DisposeAsync()
    {
        foreach (var server in Servers)
        {
            await server.Owner.DisposeAsync();
        }
    }

    protected abstract Task<IReadOnlyList<StoreServer>> StartServersAsync();

    /// <summary>The provider's own section.</summary>
    protected abstract JsonObject Settings(string prefix, IReadOnlyList<int> ports);

    protected static string Address(int port) => $"127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)}";
}

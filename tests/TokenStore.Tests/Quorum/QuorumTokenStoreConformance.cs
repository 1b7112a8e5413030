using FenceGateway.TestKit;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Quorum;

namespace FenceGateway.TokenStore.Tests.Quorum;

public sealed class QuorumTokenStoreConformance(QuorumFixture servers)
    : QuorumConformance(servers), IClassFixture<QuorumFixture>;

[Collection(OneAtATime.Garnets)]
public sealed class QuorumOnGarnetConformance(GarnetQuorumFixture servers)
    : QuorumConformance(servers), IClassFixture<GarnetQuorumFixture>;

/// <summary>The same on whatever the nodes are.</summary>
public abstract class QuorumConformance(QuorumFixture servers) : SharedTokenStoreConformance<QuorumTokenStore>
{
    private readonly string _prefix = $"t{Guid.NewGuid():N}"[..32];
    private readonly List<QuorumTokenStore> _made = [];

    protected override QuorumTokenStore CreateStore()
    {
        var store = servers.Make(_prefix);
        _made.Add(store);
        return store;
    }

    /// <summary>
    /// A majority is enough for an answer; the node that is slower may still tell the next step of what has been taken
    /// back.
    /// </summary>
    protected override async Task SettleAsync()
    {
        using var limit = new CancellationTokenSource(TimeLimit.Default, TimeProvider.System);
        while (!_made.TrueForAll(static store => store.IsSettled))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, limit.Token);
        }
    }
}

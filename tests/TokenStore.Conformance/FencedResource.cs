using FenceGateway.Fencing;

namespace FenceGateway.TokenStore.Conformance;

/// <summary>
/// A service behind gateways that follow the protocol: it sees every write and allows no overlap of different tokens.
/// </summary>
internal sealed class FencedResource
{
    private readonly Lock _gate = new();
    private long _token;
    private int _inFlight;

    public int Admissions { get; private set; }

    /// <summary>Writes with ever newer tokens, one after the other, as one gateway would.</summary>
    public async Task HammerAsync(ConformanceGateway gateway, string key, Random random, int rounds)
    {
        for (var round = 0; round < rounds; round++)
        {
            var token = Math.Max(1, await gateway.MarkAsync(key) + random.Next(-1, 2));
            var reply = await gateway.EnterAsync(key, token);
            if (reply.Status == EnterStatus.Stale)
            {
                reply.Mark.Value.ShouldBeGreaterThan(token);
                continue;
            }

            reply.Mark.Value.ShouldBe(token);
            if (reply.Status == EnterStatus.Admitted)
            {
                Begin(token);
                await Task.Yield();
                End();
            }

            await gateway.WithdrawAsync(key);
        }
    }

    private void Begin(long token)
    {
        lock (_gate)
        {
            (_inFlight == 0 || _token == token).ShouldBeTrue($"{_token} is in flight when {token} is admitted");
            token.ShouldBeGreaterThanOrEqualTo(_token);
            _token = token;
            _inFlight++;
            Admissions++;
        }
    }

    private void End()
    {
        lock (_gate)
        {
            _inFlight--;
        }
    }
}

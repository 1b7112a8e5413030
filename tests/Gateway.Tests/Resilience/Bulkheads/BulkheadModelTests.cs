using FenceGateway.Gateway.Resilience;
using FenceGateway.Gateway.Resilience.Bulkheads;
using FenceGateway.TestKit;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Tests.Resilience.Bulkheads;

/// <summary>Random histories of a bulkhead, each step compared with a model that is a list.</summary>
public sealed class BulkheadModelTests
{
    private const int Histories = 150;
    private const int Steps = 250;

    [Fact]
    public Task Bulkhead_RandomHistories_DoesWhatTheModelDoes() =>
        new RandomSeed().RunAsync(async random =>
        {
            for (var i = 0; i < Histories; i++)
            {
                var history = new History(random);
                for (var step = 0; step < Steps; step++)
                {
                    await history.StepAsync();
                }

                await history.EndAsync();
            }
        });

    private sealed record Waiter(
        ResourceFence? Fence, long Token, TimeSpan Until, Task<PlaceStatus> Task, CancellationTokenSource Client);

    private sealed class History
    {
        private static readonly TimeSpan QueueTimeout = TimeSpan.FromSeconds(5);
        private readonly Random _random;
        private readonly ManualTimeProvider _time = new();
        private readonly FencesForTests _fences;
        private readonly ResourceFence[] _resources;
        private readonly Bulkhead _bulkhead;
        private readonly List<Waiter> _line = [];
        private TimeSpan _now;
        private int _limit;
        private int _queue;
        private int _inUse;

        public History(Random random)
        {
            _random = random;
            _fences = new FencesForTests(_time);
            _resources = [_fences.Of("orders/1"), _fences.Of("orders/2")];
            (_limit, _queue) = (random.Next(1, 4), random.Next(0, 6));
            _bulkhead = new Bulkhead(new BulkheadName(BulkheadScope.Route, "orders"), Policy(), _fences.Waiters, _time);
        }

        public async Task StepAsync()
        {
            switch (_random.Next(10))
            {
                case < 4:
                    await EnterAsync();
                    break;
                case < 7 when _inUse > 0:
                    _bulkhead.Exit();
                    _inUse--;
                    await GrantAsync();
                    break;
                case 7 when _line.Count > 0:
                    await CancelAsync(_line[_random.Next(_line.Count)]);
                    break;
                case 8:
                    await AdvanceAsync(TimeSpan.FromSeconds(_random.Next(3)));
                    break;
                case 9 when _random.Next(2) == 0:
                    await RaiseAsync(_resources[_random.Next(2)]);
                    break;
                case 9:
                    (_limit, _queue) = (_random.Next(1, 4), _random.Next(0, 6));
                    _bulkhead.Apply(Policy());
                    await GrantAsync();
                    break;
            }

            (_bulkhead.InUse, _bulkhead.Waiting).ShouldBe((_inUse, _line.Count));
            _line.ShouldAllBe(waiter => !waiter.Task.IsCompleted);
        }

        public async Task EndAsync()
        {
            while (_inUse > 0)
            {
                _bulkhead.Exit();
                _inUse--;
                await GrantAsync();
            }

            (_bulkhead.InUse, _bulkhead.Waiting, _line.Count).ShouldBe((0, 0, 0));
        }

        private BulkheadPolicy Policy() => new(_limit, _queue, QueueTimeout, null, null);

        private async Task EnterAsync()
        {
            var fence = _random.Next(3) is > 0 and var n ? _resources[n - 1] : null;
            var token = fence is null ? 0 : Math.Max(1, fence.Mark + _random.Next(-1, 4));
            var expected = Expected(fence, token, out var pushedOut);
            var client = new CancellationTokenSource();
            var entering = _bulkhead.EnterAsync(fence, token, client.Token).AsTask();
            if (expected is { } status)
            {
                (await entering.WithinLimit("an answer at once")).ShouldBe(status);
                _inUse += status == PlaceStatus.Taken ? 1 : 0;
                return;
            }

            var waiter = new Waiter(fence, token, _now + QueueTimeout, entering, client);
            if (pushedOut is null)
            {
                _line.Add(waiter);
                return;
            }

            _line[_line.IndexOf(pushedOut)] = waiter;
            await EndedAsync(pushedOut, PlaceStatus.Full);
        }

        private PlaceStatus? Expected(ResourceFence? fence, long token, out Waiter? pushedOut)
        {
            pushedOut = null;
            if (token < (fence?.Mark ?? 0))
            {
                return PlaceStatus.Stale;
            }

            if (_inUse < _limit)
            {
                return PlaceStatus.Taken;
            }

            if (_line.Count < _queue)
            {
                return null;
            }

            pushedOut = fence is null
                ? null
                : _line.Where(w => w.Fence == fence && w.Token < token).Reverse().MinBy(w => w.Token);
            return pushedOut is null ? PlaceStatus.Full : null;
        }

        private async Task GrantAsync()
        {
            while (_inUse < _limit && _line.Count > 0)
            {
                var turn = _line[0];
                var next = turn.Fence is null ? turn : _line.Where(w => w.Fence == turn.Fence).MaxBy(w => w.Token)!;
                _line.Remove(next);
                _inUse++;
                await EndedAsync(next, PlaceStatus.Taken);
            }
        }

        private async Task CancelAsync(Waiter waiter)
        {
            _line.Remove(waiter);
            await waiter.Client.CancelAsync();
            await Should.ThrowAsync<OperationCanceledException>(waiter.Task.WithinLimit("the cancelled wait to end"));
        }

        private async Task AdvanceAsync(TimeSpan time)
        {
            _now += time;
            _time.Advance(time);
            foreach (var late in _line.Where(w => w.Until <= _now).ToList())
            {
                _line.Remove(late);
                await EndedAsync(late, PlaceStatus.TimedOut);
            }
        }

        private async Task RaiseAsync(ResourceFence fence)
        {
            var mark = fence.Mark + _random.Next(1, 3);
            await _fences.RaiseAsync(fence, mark);
            foreach (var stale in _line.Where(w => w.Fence == fence && w.Token < mark).ToList())
            {
                _line.Remove(stale);
                await EndedAsync(stale, PlaceStatus.Stale);
            }
        }

        private static async Task EndedAsync(Waiter waiter, PlaceStatus status) =>
            (await waiter.Task.WithinLimit($"a wait to end as {status}")).ShouldBe(status);
    }
}

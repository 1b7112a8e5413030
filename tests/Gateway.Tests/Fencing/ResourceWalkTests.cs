using FenceGateway.Fencing;
using FenceGateway.Gateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Tests.Fencing;

public sealed class ResourceWalkTests
{
    private readonly Dictionary<string, long> _sequences = [];
    private long _sequence;
    private int _asked;

    [Fact]
    public async Task OnePage_IsReadOnceAndIsTheEnd()
    {
        Add(9);

        var (page, next) = await ResourceWalk.Begin.ReadAsync(ListAsync, "", 10);

        page.Select(r => r.Resource.Value).ShouldBe(Enumerable.Range(0, 9).Reverse().Select(i => $"r{i}"));
        next.ShouldBeNull();
        _asked.ShouldBe(1);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(25)]
    [InlineData(30)]
    public async Task NothingAdvances_EveryResourceComesOnce(int count)
    {
        Add(count);

        var listed = await WalkAsync(10, static () => { });

        listed.ShouldBe(Enumerable.Range(0, count).Reverse().Select(i => $"r{i}"));
    }

    [Fact]
    public async Task Prefix_LeavesTheOthersOut()
    {
        Add(30);
        Advance("other");

        (await ResourceWalk.Begin.ReadAsync(ListAsync, "r1", 100)).Page.Count.ShouldBe(11);
    }

    [Fact]
    public Task SomeAdvanceAtEachRead_NoneIsLeftOut() => new RandomSeed().RunAsync(async random =>
    {
        for (var round = 0; round < 200; round++)
        {
            var count = random.Next(1, 80);
            var limit = random.Next(1, 12);
            _sequences.Clear();
            Add(count);

            // For a while more than fit into a page, then none: a walk ends when it keeps up.
            var left = random.Next(200);
            var listed = await WalkAsync(limit, () =>
            {
                for (var i = random.Next(2 * limit); i > 0 && left > 0; i--, left--)
                {
                    Advance($"r{random.Next(count)}");
                }
            });

            listed.Distinct().Count().ShouldBe(count, $"{count} resources, {limit} a page");
        }
    });

    private void Add(int count)
    {
        for (var i = 0; i < count; i++)
        {
            Advance($"r{i}");
        }
    }

    private void Advance(string name) => _sequences[name] = ++_sequence;

    private async Task<List<string>> WalkAsync(int limit, Action betweenReads)
    {
        List<string> listed = [];
        ResourceWalk? walk = ResourceWalk.Begin;
        while (walk is { } at)
        {
            ResourceWalk.TryParse(at.ToString(), out var parsed).ShouldBeTrue();
            (var page, walk) = await parsed.ReadAsync(
                async query =>
                {
                    var read = await ListAsync(query);
                    betweenReads();
                    return read;
                },
                "", limit);
            page.Count.ShouldBeLessThanOrEqualTo(limit);
            listed.AddRange(page.Select(r => r.Resource.Value));
        }

        return listed;
    }

    private ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query)
    {
        _asked++;
        return ValueTask.FromResult<IReadOnlyList<MarkRecord>>(
        [
            .. _sequences.Where(s => s.Value < query.Before && s.Key.StartsWith(query.Prefix, StringComparison.Ordinal))
                .OrderByDescending(s => s.Value).Take(query.Limit)
                .Select(s => new MarkRecord(Key(s.Key), 1, DateTimeOffset.UnixEpoch, s.Value, [])),
        ]);
    }

    private static ResourceKey Key(string text) =>
        ResourceKey.TryCreate(text, out var key) ? key : throw new InvalidOperationException();
}

using FenceGateway.DurableLog.Tests;
using FenceGateway.Fencing;
using FenceGateway.TokenStore.Embedded;

namespace FenceGateway.TokenStore.Tests.Embedded;

public sealed class SnapshotTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly FaultyDisk _disk = new();

    public SnapshotTests()
    {
        _folder.Options.SnapshotThreshold = 2_000;
        _folder.Options.SegmentSize = 500;
    }

    public void Dispose()
    {
        _disk.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task EnterAsync_MarksRaisedForLong_KeepTheLogBounded()
    {
        await using (var store = await _folder.OpenAsync())
        {
            for (var token = 1; token <= 3_000; token++)
            {
                await store.Enter($"r/{token % 7}", token);
            }
        }

        _folder.Files("*").Sum(f => new FileInfo(f).Length).ShouldBeLessThan(20_000, "3000 raises are 190 kB of log");
        _folder.Files("snapshot-*").ShouldNotBeEmpty();

        await using var again = await _folder.OpenAsync();
        again.Count.ShouldBe(7);
        for (var token = 2_994; token <= 3_000; token++)
        {
            again.Peek($"r/{token % 7}").ShouldBe(token);
        }

        (await again.ListAsync(new MarkQuery("", long.MaxValue, 10), default)).Select(r => r.Mark)
            .ShouldBe([3000L, 2999, 2998, 2997, 2996, 2995, 2994]);
    }

    [Fact]
    public async Task OpenAsync_ChangesWhileTheSnapshotWasWritten_AreAllThere()
    {
        // The snapshot is fuzzy: these changes hit it between two of its blocks, some before and some after their row
        // was copied.
        _folder.Options.SnapshotBlock = 1;
        _folder.Options.SegmentSize = 1 << 20;
        _folder.Options.SnapshotThreshold = 10_000;
        var changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (var store = await _folder.OpenAsync(_disk))
        {
            var blocks = 0;
            var changes = new List<Task>();
            _disk.OnWrite = file =>
            {
                if (file.Contains("snapshot", StringComparison.Ordinal) && ++blocks == 40)
                {
                    for (var i = 0; i < 100; i += 2)
                    {
                        changes.Add(store.SetMark($"r/{i}", 500));
                        changes.Add(store.SetMark($"r/{i}", 3));
                        changes.Add(store.Enter($"r/{i}", 4));
                    }

                    changed.SetResult();
                }
            };
            for (var i = 0; !changed.Task.IsCompleted && i < 5_000; i++)
            {
                await store.Enter($"r/{i % 100}", 1_000 + i);
            }

            await changed.Task;
            await store.Snapshots.Running;
            await Task.WhenAll(changes);
            blocks.ShouldBeGreaterThan(40);
            _folder.Files("snapshot-*").ShouldNotBeEmpty();
        }

        await using var again = await _folder.OpenAsync();
        for (var i = 0; i < 100; i += 2)
        {
            var mark = again.Peek($"r/{i}");
            (mark == 4 || mark >= 1_000).ShouldBeTrue($"r/{i} has {mark}");
        }

        again.Peek("r/0").ShouldBe(4);
    }

    [Fact]
    public async Task OpenAsync_SnapshotDamagedAnywhere_Refuses()
    {
        var snapshot = await WriteSnapshot();
        var whole = await File.ReadAllBytesAsync(snapshot);
        for (var at = 0; at < whole.Length; at += 7)
        {
            var data = whole.ToArray();
            data[at] ^= 4;
            await File.WriteAllBytesAsync(snapshot, data);
            (await _folder.OpenRefusedAsync()).Message.ShouldContain(snapshot, customMessage: $"byte {at}");
        }

        await File.WriteAllBytesAsync(snapshot, whole[..^1]);
        await _folder.OpenRefusedAsync();
        await File.WriteAllBytesAsync(snapshot, [.. whole, 0]);
        await _folder.OpenRefusedAsync();
        await File.WriteAllBytesAsync(snapshot, whole);
        await using var store = await _folder.OpenAsync();
        store.Count.ShouldBe(3);
    }

    [Fact]
    public async Task OpenAsync_SnapshotMissing_Refuses()
    {
        File.Delete(await WriteSnapshot());
        (await _folder.OpenRefusedAsync()).Message.ShouldContain(_folder.Segment(1));
    }

    [Fact]
    public async Task OpenAsync_SegmentBehindTheSnapshotMissing_Refuses()
    {
        await WriteSnapshot();
        foreach (var segment in _folder.Files("wal-*"))
        {
            File.Delete(segment);
        }

        (await _folder.OpenRefusedAsync()).Message.ShouldContain("goes on after snapshot");
    }

    [Fact]
    public async Task EnterAsync_SnapshotCannotBeWritten_GoesOnAndTriesAgainLater()
    {
        var fail = true;
        await using var store = await _folder.OpenAsync(_disk);
        _disk.OnWrite = file =>
        {
            if (fail && file.Contains("snapshot", StringComparison.Ordinal))
            {
                throw new IOException("No space left on device");
            }
        };
        await Raise(store, 1, 200);
        await store.Snapshots.Running;
        store.Fault.ShouldBeNull();
        _folder.Files("snapshot-*").ShouldBeEmpty();
        _folder.Logger.Entries.Count(e => e.Id == 2008).ShouldBe(1);

        fail = false;
        await Raise(store, 201, 300);
        await store.Snapshots.Running;
        _folder.Files("snapshot-*").ShouldBeEmpty("not before ten seconds have passed");
        _folder.Clock.Advance(TimeSpan.FromSeconds(10));
        await Raise(store, 301, 302);
        await store.Snapshots.Running;
        _folder.Files("snapshot-*").ShouldHaveSingleItem();
    }

    [Fact]
    public async Task OpenAsync_ManyShortLives_DoNotPileUpSegments()
    {
        for (var life = 1; life <= 300; life++)
        {
            await using var store = await _folder.OpenAsync();
            await store.Enter("a", life, hold: TimeSpan.Zero);
            await store.Snapshots.Running;
        }

        _folder.Files("wal-*").Length.ShouldBeLessThan(270);
        await using var last = await _folder.OpenAsync();
        last.Peek("a").ShouldBe(300);
    }

    [Fact]
    public async Task OpenAsync_ContendedMarkInASnapshot_IsHeldAsOneInTheLog()
    {
        await using (var store = await _folder.OpenAsync())
        {
            await store.Enter("a", 5);
            (await store.Status("a", 6, oldest: 5)).ShouldBe(EnterStatus.Draining);
            await Raise(store, 1, 400);
            await store.Snapshots.Running;
            _folder.Files("snapshot-*").ShouldNotBeEmpty();
        }

        await using var again = await _folder.OpenAsync();
        (await again.Status("a", 6)).ShouldBe(EnterStatus.Draining);
        (await again.Status("r", 400)).ShouldBe(EnterStatus.Admitted);
    }

    private static async Task Raise(EmbeddedTokenStore store, int from, int to)
    {
        for (var token = from; token <= to; token++)
        {
            await store.Enter("r", token);
        }
    }

    private async Task<string> WriteSnapshot()
    {
        await using var store = await _folder.OpenAsync();
        await store.Enter("a", 1);
        await store.Enter("b", 1);
        for (var token = 1; _folder.Files("snapshot-*.dat").Length == 0; token++)
        {
            token.ShouldBeLessThan(10_000);
            await store.Enter("r", token);
            await store.Snapshots.Running;
        }

        return _folder.Files("snapshot-*.dat").Single();
    }
}

using FenceGateway.DurableLog;
using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.Embedded;

namespace FenceGateway.TokenStore.Tests.Embedded;

public sealed class RecoveryTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task OpenAsync_AfterCrash_KnowsEveryAnsweredMarkAndItsOrder()
    {
        await using (var first = await _folder.OpenAsync())
        {
            await first.Enter("a", 5);
            await first.Enter("é", 7);
            await first.SetMark("a", 2);
            await first.Enter("b", 1);
            await first.Enter("a", 3);
        }

        await using var store = await _folder.OpenAsync();
        var all = await store.ListAsync(new MarkQuery("", long.MaxValue, 10), default);
        all.Select(r => (r.Resource.Value, r.Mark)).ShouldBe([("a", 3L), ("b", 1L), ("é", 7L)]);
        await store.Enter("c", 1);
        (await store.ListAsync(new MarkQuery("", long.MaxValue, 1), default))[0].Resource.Value.ShouldBe("c");
        all[0].AdvancedAt.ShouldBe(_folder.Clock.GetUtcNow());
    }

    [Fact]
    public async Task OpenAsync_LastFrameTornAtAnyByte_CutsItOffKeepsItAndReportsIt()
    {
        var whole = await WriteFrames();
        var lastFrame = Frames(whole)[^1];
        for (var length = lastFrame + 1; length < whole.Length; length++)
        {
            using var folder = new TestFolder();
            await File.WriteAllBytesAsync(folder.Segment(1), whole[..length]);
            await using (var store = await folder.OpenAsync())
            {
                store.Peek("r/4").ShouldBe(4, $"cut at {length}");
                store.Peek("r/5").ShouldBe(0, $"cut at {length}");
            }

            folder.Logger.Entries.ShouldContain(e => e.Id == 2003);
            (await File.ReadAllBytesAsync(folder.Files("*.torn").Single())).ShouldBe(whole[lastFrame..length]);

            // The tail is gone for good: the next start finds nothing to complain about.
            await using var again = await folder.OpenAsync();
            folder.Logger.Entries.Count(e => e.Id == 2003).ShouldBe(1);
            again.Count.ShouldBe(4);
        }
    }

    [Fact]
    public async Task OpenAsync_BitFlippedInAnyFrameButTheLast_Refuses()
    {
        var whole = await WriteFrames();
        var frames = Frames(whole);
        for (var f = 0; f < frames.Count - 1; f++)
        {
            for (var at = frames[f]; at < frames[f + 1]; at += 5)
            {
                using var folder = new TestFolder();
                var data = whole.ToArray();
                data[at] ^= 0x10;
                await File.WriteAllBytesAsync(folder.Segment(1), data);
                var refusal = await folder.OpenRefusedAsync();
                refusal.Message.ShouldContain(folder.Segment(1));
                refusal.Message.ShouldContain($"offset {frames[f]}");
                (await File.ReadAllBytesAsync(folder.Segment(1))).ShouldBe(data, "a refusal changes nothing");
            }
        }
    }

    [Fact]
    public async Task OpenAsync_BitFlippedInTheLastFrame_IsATornTail()
    {
        var whole = await WriteFrames();
        whole[^1] ^= 1;
        await File.WriteAllBytesAsync(_folder.Segment(1), whole);
        await using var store = await _folder.OpenAsync();
        store.Count.ShouldBe(4);
        _folder.Files("*.torn").ShouldHaveSingleItem();
    }

    [Fact]
    public async Task OpenAsync_BytesBehindACleanStop_Refuses()
    {
        await using (var first = await _folder.OpenAsync())
        {
            await first.Enter("a", 5);
            await first.Close();
        }

        await File.AppendAllTextAsync(_folder.Segment(1), "x");
        (await _folder.OpenRefusedAsync()).Message.ShouldContain("closed in good order");
    }

    [Fact]
    public async Task OpenAsync_FrameMissingInTheMiddle_Refuses()
    {
        var whole = await WriteFrames();
        var frames = Frames(whole);
        await File.WriteAllBytesAsync(_folder.Segment(1), [.. whole[..frames[1]], .. whole[frames[2]..]]);
        (await _folder.OpenRefusedAsync()).Message.ShouldContain("frame 3 follows frame 1");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task OpenAsync_SegmentMissing_Refuses(int missing)
    {
        for (var life = 0; life < 3; life++)
        {
            await using var store = await _folder.OpenAsync();
            await store.Enter("a", life + 1);
        }

        File.Delete(_folder.Segment(missing));
        (await _folder.OpenRefusedAsync()).Message.ShouldContain(_folder.Segment(missing));
    }

    [Fact]
    public async Task OpenAsync_OlderSegmentCutOff_Refuses()
    {
        for (var life = 0; life < 3; life++)
        {
            await using var store = await _folder.OpenAsync();
            await store.Enter("a", life + 1);
        }

        var data = await File.ReadAllBytesAsync(_folder.Segment(1));
        await File.WriteAllBytesAsync(_folder.Segment(1), data[..^10]);
        (await _folder.OpenRefusedAsync()).Message.ShouldContain(_folder.Segment(1));
    }

    [Fact]
    public async Task OpenAsync_SegmentBegunAndNeverUsed_GoesOnBeforeIt()
    {
        // A crash between the beginning of a segment and the seal of the one before.
        var whole = await WriteFrames();
        var id = LogFileHeader.Read(whole, "", MarkFile.Segment, 1, hasLog: true).Log;
        await File.WriteAllBytesAsync(_folder.Segment(1), whole);
        await File.WriteAllBytesAsync(_folder.Segment(2), new LogFileHeader(MarkFile.Segment, 2, 99, id).ToBytes());
        await using (var store = await _folder.OpenAsync())
        {
            store.Count.ShouldBe(5);
            await store.Enter("a", 1);
        }

        await using var again = await _folder.OpenAsync();
        again.Count.ShouldBe(6);
    }

    [Fact]
    public async Task OpenAsync_SegmentOfAnotherStore_Refuses()
    {
        await using (var store = await _folder.OpenAsync())
        {
            await store.Enter("a", 1);
        }

        await (await _folder.OpenAsync()).DisposeAsync();
        await File.WriteAllBytesAsync(
            _folder.Segment(2), new LogFileHeader(MarkFile.Segment, 2, 3, Guid.NewGuid()).ToBytes());
        (await _folder.OpenRefusedAsync()).Message.ShouldContain("does not belong");
    }

    [Fact]
    public async Task OpenAsync_RenamedSegment_Refuses()
    {
        await File.WriteAllBytesAsync(
            _folder.Segment(1), new LogFileHeader(MarkFile.Segment, 7, 1, Guid.NewGuid()).ToBytes());
        (await _folder.OpenRefusedAsync()).Message.ShouldContain("number 7");
    }

    [Fact]
    public async Task OpenAsync_NewerFormat_Refuses()
    {
        var header = new LogFileHeader(MarkFile.Segment, 1, 1, Guid.NewGuid()).ToBytes();
        header[8] = 2;
        await File.WriteAllBytesAsync(_folder.Segment(1), header);
        (await _folder.OpenRefusedAsync()).Message.ShouldContain("format 2");
    }

    [Fact]
    public async Task OpenAsync_EmptyOrForeignSegment_Refuses()
    {
        await File.WriteAllTextAsync(_folder.Segment(1), "");
        (await _folder.OpenRefusedAsync()).Message.ShouldContain("header");
    }

    [Fact]
    public async Task OpenAsync_OnlyLeftoversOfALog_Refuses()
    {
        await File.WriteAllTextAsync(_folder.Segment(1) + ".48.torn", "x");
        (await _folder.OpenRefusedAsync()).Message.ShouldContain(_folder.Segment(1));
    }

    [Fact]
    public async Task OpenAsync_CrashDuringTheFirstStart_BeginsAnew()
    {
        await File.WriteAllTextAsync(_folder.Segment(1) + ".tmp", "FGTO");
        await File.WriteAllTextAsync(Path.Combine(_folder.FullPath, "lock"), "1");
        await using var store = await _folder.OpenAsync();
        (await store.Status("a", 1)).ShouldBe(EnterStatus.Admitted);
        _folder.Files("*.tmp").ShouldBeEmpty();
    }

    [Fact]
    public async Task OpenAsync_FolderCannotBeMade_SaysSo()
    {
        var file = Path.Combine(_folder.FullPath, "file");
        await File.WriteAllTextAsync(file, "");
        _folder.Options.Path = Path.Combine(file, "tokens");
        await using var store = new EmbeddedTokenStore(
            _folder.Options, _folder.Clock, _folder.Logger, new TestMeters());
        (await Should.ThrowAsync<TokenStoreUnavailableException>(async () => await store.OpenAsync(default)))
            .Message.ShouldContain("cannot be used");
    }

    /// <summary>A segment with one frame each for r/1 … r/5, as a crash leaves it.</summary>
    private static async Task<byte[]> WriteFrames()
    {
        using var folder = new TestFolder();
        await using var store = await folder.OpenAsync();
        for (var i = 1; i <= 5; i++)
        {
            await store.Enter($"r/{i}", i);
        }

        return await File.ReadAllBytesAsync(folder.Segment(1));
    }

    private static List<int> Frames(byte[] data)
    {
        var offsets = new List<int>();
        for (var at = MarkFile.HeaderSize; LogFrame.TryRead(data.AsSpan(at), out var frame); at += frame.Size)
        {
            offsets.Add(at);
        }

        return offsets;
    }
}

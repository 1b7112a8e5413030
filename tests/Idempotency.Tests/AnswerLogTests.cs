using FenceGateway.DurableLog.Tests;

namespace FenceGateway.Idempotency.Tests;

/// <summary>What the embedded store has to remember, and what disks do to it.</summary>
public sealed class AnswerLogTests : IDisposable
{
    private static readonly IOException DiskFull = new("No space left on device");
    private readonly AnswerFolder _folder = new();
    private readonly FaultyDisk _disk = new();

    public void Dispose()
    {
        _disk.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Open_AfterAStop_EveryKeyIsAsItWas()
    {
        await using (var store = await _folder.OpenAsync())
        {
            await store.Complete("completed", "the answer");
            await store.Start("started");
            await store.Release(await store.Start("released"));
            await store.Abandon(await store.Start("too long"), UnknownReason.TooLong);
            await store.Release(await store.Claim("claimed"));
        }

        await using var again = await _folder.OpenAsync();

        again.Count.ShouldBe(3);
        (await again.Ask("completed")).Text().ShouldBe("the answer");
        (await again.Ask("completed", "other")).Status.ShouldBe(ClaimStatus.Reused);
        var started = await again.Ask("started");
        (started.Status, started.Reason).ShouldBe((ClaimStatus.Unknown, UnknownReason.Interrupted));
        (await again.Ask("too long")).Reason.ShouldBe(UnknownReason.TooLong);
        (await again.Ask("released")).Status.ShouldBe(ClaimStatus.Claimed);
        (await again.Ask("claimed")).Status.ShouldBe(ClaimStatus.Claimed);
    }

    [Fact]
    public async Task Open_Expired_AreForgottenAndTheirFilesDeleted()
    {
        _folder.Options.SegmentSize = 300;
        await using (var store = await _folder.OpenAsync())
        {
            for (var i = 0; i < 5; i++)
            {
                await store.Complete($"{i}", ttl: TimeSpan.FromHours(1));
            }

            await store.Complete("long");
        }

        _folder.Segments.Length.ShouldBeGreaterThan(3);
        _folder.Clock.Advance(TimeSpan.FromHours(1));
        await using (var again = await _folder.OpenAsync())
        {
            again.Count.ShouldBe(1);
            (await again.Ask("long")).Status.ShouldBe(ClaimStatus.Completed);
        }

        // What stays holds a record that lives, or nothing yet.
        _folder.Segments.Length.ShouldBeLessThanOrEqualTo(3);
    }

    [Fact]
    public async Task Open_LastWriteTorn_GoesOnWithoutIt()
    {
        await using (var store = await _folder.OpenAsync())
        {
            await store.Complete("a");
            await store.Start("b");
        }

        Truncate(_folder.Segments[^1], 3);

        await using var again = await _folder.OpenAsync();
        (await again.Ask("a")).Status.ShouldBe(ClaimStatus.Completed);
        (await again.Ask("b")).Status.ShouldBe(ClaimStatus.Claimed, "nobody was told of what is torn");
        _folder.Logger.Entries.ShouldContain(e => e.Id == 1642);
    }

    [Fact]
    public async Task Open_BrokenInTheMiddle_RefusesAndSaysWhere()
    {
        await using (var store = await _folder.OpenAsync())
        {
            await store.Complete("a");
            await store.Complete("b");
        }

        Flip(_folder.Segments[^1], 60);

        var refusal = await _folder.OpenRefusedAsync();
        refusal.Message.ShouldContain($"{_folder.Segments[^1]}, offset 32");
        refusal.Message.ShouldContain("second time");
    }

    [Fact]
    public async Task Open_EarlierSegmentTorn_Refuses()
    {
        await using (var store = await _folder.OpenAsync())
        {
            await store.Complete("a");
        }

        var first = _folder.Segments[0];
        await (await _folder.OpenAsync()).DisposeAsync();
        Truncate(first, 3);

        (await _folder.OpenRefusedAsync()).Message.ShouldContain("a later segment exists");
    }

    [Fact]
    public async Task Open_FolderInUse_NamesTheProcessAndTheSetting()
    {
        await using var first = await _folder.OpenAsync();

        var refusal = await _folder.OpenRefusedAsync();

        refusal.Message.ShouldContain($"in use by process {Environment.ProcessId}");
        refusal.Message.ShouldContain("(Idempotency:Path)");
    }

    [Fact]
    public async Task Start_DiskFull_RefusesNewKeysAndStillAnswersKnownOnes()
    {
        await using var store = await _folder.OpenAsync(_disk);
        await store.Complete("known", "kept");
        var claim = await store.Claim("a");
        _disk.WriteFault = DiskFull;
        _disk.PartialWrite = 10;

        await Should.ThrowAsync<IdempotencyStoreUnavailableException>(
            async () => await store.StartAsync(claim, default));
        await store.Release(claim);

        var refused = await store.Ask("b");
        refused.Status.ShouldBe(ClaimStatus.Refused);
        refused.Detail.ShouldNotBeNull().ShouldContain("No space left");
        (await store.Ask("known")).Text().ShouldBe("kept");

        _disk.WriteFault = null;
        _folder.Clock.Advance(TimeSpan.FromSeconds(1));
        await store.Complete("a", "later");
        (await store.Ask("a")).Text().ShouldBe("later");
    }

    [Fact]
    public async Task Complete_DiskFull_OutcomeIsUnknownNowAndAfterARestart()
    {
        await using (var store = await _folder.OpenAsync(_disk))
        {
            var claim = await store.Start("a");
            _disk.WriteFault = DiskFull;
            await Should.ThrowAsync<IdempotencyStoreUnavailableException>(async () => await store.Complete(claim));
            (await store.Ask("a")).Status.ShouldBe(ClaimStatus.Unknown);
        }

        await using var again = await _folder.OpenAsync();
        (await again.Ask("a")).Status.ShouldBe(ClaimStatus.Unknown);
    }

    [Fact]
    public async Task Start_FlushFails_RefusesUntilARestart()
    {
        await using var store = await _folder.OpenAsync(_disk);
        var claim = await store.Claim("a");
        _disk.FlushFault = DiskFull;
        await Should.ThrowAsync<IdempotencyStoreUnavailableException>(
            async () => await store.StartAsync(claim, default));

        _disk.FlushFault = null;
        _folder.Clock.Advance(TimeSpan.FromMinutes(1));

        (await store.Ask("b")).Detail.ShouldNotBeNull().ShouldContain("until the gateway is restarted");
    }

    [Fact]
    public async Task Start_ManyAtOnce_ShareFlushes()
    {
        await using var store = await _folder.OpenAsync(_disk);
        var flushing = _disk.HoldFlushes();
        var first = store.Start("first");
        await flushing;
        var rest = Enumerable.Range(0, 50).Select(i => store.Start($"{i}")).ToArray();
        rest.ShouldAllBe(task => !task.IsCompleted);
        var writes = 0;
        _disk.OnWrite = _ => writes++;

        _disk.ReleaseFlushes();
        await Task.WhenAll([first, .. rest]);

        writes.ShouldBe(1);
    }

    [Fact]
    public async Task Start_BacklogFull_IsRefused()
    {
        _folder.Options.MaxPendingBytes = 200;
        await using var store = await _folder.OpenAsync(_disk);
        var flushing = _disk.HoldFlushes();
        var first = store.Start("first");
        await flushing;
        _ = store.Start("a");
        _ = store.Start("b");
        _ = store.Start("c");

        var refusal = await Should.ThrowAsync<IdempotencyStoreUnavailableException>(() => store.Start("d"));

        refusal.Message.ShouldContain("backlog is full");
        _disk.ReleaseFlushes();
        await first;
    }

    [Fact]
    public async Task Start_WriterDiesOfABug_WhoWaitsIsTold()
    {
        await using var store = await _folder.OpenAsync(_disk);
        _disk.OnWrite = _ => throw new InvalidOperationException("a bug");

        var waiting = await Should.ThrowAsync<IdempotencyStoreUnavailableException>(
            () => store.Start("a").WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System));

        waiting.Message.ShouldContain("Restart the gateway");
    }

    [Fact]
    public async Task Ask_AnswerDamagedOnDisk_IsUnknownAndLogged()
    {
        await using var store = await _folder.OpenAsync();
        await store.Complete("a");
        Flip(_folder.Segments[^1], -2);

        var reply = await store.Ask("a");

        (reply.Status, reply.Reason).ShouldBe((ClaimStatus.Unknown, UnknownReason.Unreadable));
        _folder.Logger.Entries.ShouldContain(e => e.Id == 1647);
    }

    [Fact]
    public async Task Timer_EveryMinute_DeletesExpiredFilesOfAnIdleStore()
    {
        await using var store = await _folder.OpenAsync();
        await store.Complete("a", new string('x', 5000), TimeSpan.FromSeconds(10));
        store.Bytes.ShouldBeGreaterThan(5000);

        _folder.Clock.Advance(TimeSpan.FromMinutes(1));
        await Keys.UntilAsync(() => store.Bytes < 5000, "the expired file to go");

        _folder.Segments.Length.ShouldBe(1);
    }

    private static void Truncate(string path, int bytes)
    {
        using var file = File.OpenWrite(path);
        file.SetLength(file.Length - bytes);
    }

    private static void Flip(string path, int offset)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        file.Position = offset < 0 ? file.Length + offset : offset;
        var value = file.ReadByte();
        file.Position--;
        file.WriteByte((byte)(value ^ 1));
    }
}

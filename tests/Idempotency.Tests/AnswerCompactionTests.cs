using FenceGateway.DurableLog.Tests;

namespace FenceGateway.Idempotency.Tests;

/// <summary>What is of no use any more takes no room, and what counts is never lost by making room.</summary>
public sealed class AnswerCompactionTests : IDisposable
{
    private const int MaxBytes = 16 * 1024;

    /// <summary>Several times as many pairs of "started" and "released" as the store could hold.</summary>
    private const int Many = 1000;

    private readonly AnswerFolder _folder = new();

    public AnswerCompactionTests() => _folder.Options.MaxBytes = MaxBytes;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(Many)]
    public async Task Release_FarMoreOftenThanThereIsRoom_NewKeysAreTakenAllTheTime(int keys)
    {
        await using var store = await _folder.OpenAsync();

        for (var i = 0; i < Many; i++)
        {
            await store.Release(await store.Start($"released {i % keys}"));
        }

        await store.Complete("new", "answer");
        (await store.Ask("new")).Text().ShouldBe("answer");
    }

    [Fact]
    public async Task Release_WhileARequestRuns_NewKeysAreTakenAndTheRunningOneIsUnknownAfterACrash()
    {
        await using (var store = await _folder.OpenAsync())
        {
            await store.Start("running");
            await ReleaseManyAsync(store);
        }

        await using var again = await _folder.OpenAsync();
        (await again.Ask("running")).Status.ShouldBe(ClaimStatus.Unknown);
        (await again.Ask("released")).Status.ShouldBe(ClaimStatus.Claimed);
    }

    /// <summary>
    /// Of several records of a key in one file only the last one counts after a restart, whichever is looked at first.
    /// </summary>
    [Fact]
    public async Task Release_UnknownKeyWithOlderRecordsInItsFile_IsUnknownAfterEachRestart()
    {
        await using (var store = await _folder.OpenAsync())
        {
            await store.Release(await store.Start("running"));
            await store.Start("running");
        }

        for (var i = 0; i < 2; i++)
        {
            await using var again = await _folder.OpenAsync();
            (await again.Ask("running")).Status.ShouldBe(ClaimStatus.Unknown);
            await ReleaseManyAsync(again);
        }

        await using var last = await _folder.OpenAsync();
        (await last.Ask("running")).Status.ShouldBe(ClaimStatus.Unknown);
    }

    [Fact]
    public async Task Release_AmongAnswers_EveryAnswerIsKeptNowAndAfterARestart()
    {
        await using (var store = await _folder.OpenAsync())
        {
            for (var i = 0; i < 20; i++)
            {
                await store.Complete($"answered {i}", $"answer {i}");
                await ReleaseManyAsync(store, Many / 20);
            }

            await ShouldKeepAnswersAsync(store);
            await ReleaseManyAsync(store);
            await ShouldKeepAnswersAsync(store);
        }

        await using var again = await _folder.OpenAsync();
        await ShouldKeepAnswersAsync(again);
        _folder.Logger.Entries.ShouldNotContain(e => e.Id == 1647);
    }

    [Fact]
    public async Task Release_AmongUnknownKeys_EachStaysUnknownWithItsReasonNowAndAfterARestart()
    {
        await using (var store = await _folder.OpenAsync())
        {
            await store.Abandon(await store.Start("too long"), UnknownReason.TooLong);
            await store.Abandon(await store.Start("interrupted"));
            await store.Abandon(await store.Start("sent again"), UnknownReason.TooLong);
            await store.Claim("sent again", resend: true);
            await ReleaseManyAsync(store);
            (await store.Ask("too long")).Reason.ShouldBe(UnknownReason.TooLong);
        }

        await using var again = await _folder.OpenAsync();
        (await again.Ask("too long")).Reason.ShouldBe(UnknownReason.TooLong);
        (await again.Ask("interrupted")).Status.ShouldBe(ClaimStatus.Unknown);
        (await again.Ask("sent again")).Reason.ShouldBe(UnknownReason.TooLong);
    }

    [Fact]
    public async Task Release_AmongUnknownKeysWithTwoRecordsEach_OneIsKeptOfEach()
    {
        await using var store = await _folder.OpenAsync();
        var claims = new List<IdempotencyClaim>();
        for (var i = 0; i < 40; i++)
        {
            claims.Add(await store.Start($"{i}"));
        }

        await ReleaseManyAsync(store);
        foreach (var claim in claims)
        {
            await store.Abandon(claim);
        }

        await ReleaseManyAsync(store);

        store.Bytes.ShouldBeLessThan(MaxBytes);
        for (var i = 0; i < 40; i++)
        {
            (await store.Ask($"{i}")).Status.ShouldBe(ClaimStatus.Unknown);
        }
    }

    [Fact]
    public async Task Complete_KeyWasCopiedWhileItRan_AnswerIsKept()
    {
        await using (var store = await _folder.OpenAsync())
        {
            var claim = await store.Start("slow");
            await ReleaseManyAsync(store);
            await store.Complete(claim, "at last");
            await ReleaseManyAsync(store);
            (await store.Ask("slow")).Text().ShouldBe("at last");
        }

        await using var again = await _folder.OpenAsync();
        (await again.Ask("slow")).Text().ShouldBe("at last");
    }

    [Fact]
    public async Task Ask_WhileAnswersMove_GetsEachOfThem()
    {
        await using var store = await _folder.OpenAsync();
        await store.Complete("answered", "answer");
        var making = Task.Run(() => ReleaseManyAsync(store));

        while (!making.IsCompleted)
        {
            (await store.Ask("answered")).Text().ShouldBe("answer");
        }

        await making;
    }

    [Fact]
    public async Task Complete_MoreAnswersThanThereIsRoom_IsFullOfThemAndForgetsNone()
    {
        await using var store = await _folder.OpenAsync();
        var kept = 0;
        while ((await store.Ask($"{kept}")) is { Status: ClaimStatus.Claimed, Claim: { } claim })
        {
            await store.StartAsync(claim, default);
            await store.Complete(claim, new string('x', 200));
            kept++;
        }

        kept.ShouldBeGreaterThan(MaxBytes / 2 / 330);
        for (var i = 0; i < kept; i++)
        {
            (await store.Ask($"{i}")).Status.ShouldBe(ClaimStatus.Completed);
        }
    }

    [Fact]
    public async Task Release_DiskFailsWhileRoomIsMade_NothingIsLost()
    {
        using var disk = new FaultyDisk();
        await using (var store = await _folder.OpenAsync(disk))
        {
            await store.Complete("answered", "answer");
            await store.Start("running");
            for (var i = 0; i < Many; i++)
            {
                disk.WriteFault = i % 5 == 0 ? new IOException("No space left on device") : null;
                disk.PartialWrite = i % 60;
                if (await store.Ask($"released {i}") is { Claim: { } claim })
                {
                    await Record.ExceptionAsync(async () => await store.StartAsync(claim, default));
                    await store.Release(claim);
                }

                _folder.Clock.Advance(TimeSpan.FromSeconds(1));
            }
        }

        await using var again = await _folder.OpenAsync();
        (await again.Ask("answered")).Text().ShouldBe("answer");
        (await again.Ask("running")).Status.ShouldBe(ClaimStatus.Unknown);
    }

    private static async Task ReleaseManyAsync(EmbeddedIdempotencyStore store, int count = Many)
    {
        for (var i = 0; i < count; i++)
        {
            await store.Release(await store.Start("released"));
        }
    }

    private static async Task ShouldKeepAnswersAsync(EmbeddedIdempotencyStore store)
    {
        for (var i = 0; i < 20; i++)
        {
            (await store.Ask($"answered {i}")).Text().ShouldBe($"answer {i}");
        }
    }
}

using FenceGateway.DurableLog.Tests;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace FenceGateway.Idempotency.Tests;

/// <summary>
/// Random lives of a store: keys that come to every end, full disks, stops, and power cuts in the middle of a flush
/// that lose or keep arbitrary bytes. Segments are tiny, so that they begin all the time, and the store is so small
/// that they are emptied all the time.
/// </summary>
public sealed class AnswerCrashPropertyTests
{
    private const string Free = "free";
    private const string Unknown = "unknown";

    private static readonly Gen<Step> Steps =
        from kind in Gen.Frequency(
            (8, Gen.Constant(Kind.Complete)), (4, Gen.Constant(Kind.Leave)), (4, Gen.Constant(Kind.Release)),
            (3, Gen.Constant(Kind.Abandon)), (2, Gen.Constant(Kind.DiskFull)), (2, Gen.Constant(Kind.Stop)),
            (4, Gen.Constant(Kind.Crash)))
        from key in Gen.Choose(0, 12)
        from seed in Gen.Choose(0, 1_000_000)
        select new Step(kind, $"{key}", seed);

    private enum Kind
    {
        Complete,
        Leave,
        Release,
        Abandon,
        DiskFull,
        Stop,
        Crash,
    }

    [Property(MaxTest = 80, StartSize = 20, EndSize = 120)]
    public Property Operations_WithCrashes_NeverFreeAKeyThatWasStartedAndNeverChangeAnAnswer() =>
        Prop.ForAll(Steps.ArrayOf().ToArbitrary(), steps =>
        {
            // FsCheck's properties are synchronous.
#pragma warning disable VSTHRD002
            Task.Run(() => LiveAsync(steps)).GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
        });

    private static async Task LiveAsync(Step[] steps)
    {
        await using var life = new Life();
        await life.RunAsync(steps);
    }

    private sealed record Step(Kind Kind, string Key, int Seed);

    /// <summary>
    /// Runs the steps against a store and against what may be true of each key when the process is gone.
    /// </summary>
    private sealed class Life : IAsyncDisposable
    {
        private readonly AnswerFolder _folder = new();

        /// <summary>What a key may be after a restart; one that is not there is free.</summary>
        private readonly Dictionary<string, string[]> _later = new(StringComparer.Ordinal);

        private readonly HashSet<string> _running = new(StringComparer.Ordinal);
        private FaultyDisk _disk = new();
        private EmbeddedIdempotencyStore? _store;

        private EmbeddedIdempotencyStore Store => _store!;

        public async Task RunAsync(Step[] steps)
        {
            (_folder.Options.SegmentSize, _folder.Options.MaxBytes) = (400, 8_000);
            await OpenAsync();
            foreach (var step in steps)
            {
                await RunAsync(step);
            }

            await RestartAsync();
        }

        public async ValueTask DisposeAsync()
        {
            await Store.DisposeAsync();
            _disk.Dispose();
            _folder.Dispose();
        }

        private Task RunAsync(Step step) => step.Kind switch
        {
            Kind.Stop => RestartAsync(),
            Kind.Crash => CrashAsync(step),
            _ => UseAsync(step),
        };

        private async Task UseAsync(Step step)
        {
            if (await TryClaimAsync(step.Key) is not { } claim)
            {
                return;
            }

            if (step.Kind == Kind.DiskFull)
            {
                await FillDiskAsync(step, claim);
                return;
            }

            await Store.StartAsync(claim, default);
            _later[step.Key] = [Unknown];
            _running.Add(step.Key);
            if (step.Kind != Kind.Leave)
            {
                _running.Remove(step.Key);
                await EndAsync(step, claim);
            }
        }

        private async Task EndAsync(Step step, IdempotencyClaim claim)
        {
            switch (step.Kind)
            {
                case Kind.Complete:
                    await Store.Complete(claim, $"{step.Seed}");
                    _later[step.Key] = [$"{step.Seed}"];
                    break;
                case Kind.Release:
                    await Store.Release(claim);
                    _later[step.Key] = [Free, Unknown];
                    break;
                default:
                    await Store.Abandon(claim);
                    break;
            }
        }

        private async Task FillDiskAsync(Step step, IdempotencyClaim claim)
        {
            _disk.PartialWrite = step.Seed % 100;
            _disk.WriteFault = new IOException("No space left on device");
            await Should.ThrowAsync<IdempotencyStoreUnavailableException>(
                async () => await Store.StartAsync(claim, default));
            _disk.WriteFault = null;
            await Store.Release(claim);
            _later[step.Key] = [Free, Unknown];
            _folder.Clock.Advance(TimeSpan.FromSeconds(1));
        }

        /// <summary>
        /// Starts and ends that nobody was told of, some of them in the batch that is being flushed, and then the power
        /// goes.
        /// </summary>
        private async Task CrashAsync(Step step)
        {
            var random = new Random(step.Seed);
            var claims = new List<(string Key, IdempotencyClaim Claim, bool Started)>();
            for (var i = 0; i < 6; i++)
            {
                var key = $"{random.Next(13)}";
                if (await TryClaimAsync(key) is { } claim)
                {
                    var started = random.Next(2) == 0;
                    claims.Add((key, claim, started));
                    _running.Add(key);
                    if (started)
                    {
                        await Store.StartAsync(claim, default);
                    }
                }
            }

            var flushing = _disk.HoldFlushes();
            var pending = claims.ConvertAll(c =>
            {
                _later[c.Key] = c.Started ? [Unknown, $"late {step.Seed}"] : [Free, Unknown];
                return c.Started
                    ? Store.Complete(c.Claim, $"late {step.Seed}").AsTask()
                    : Store.StartAsync(c.Claim, default).AsTask();
            });
            if (pending.Count > 0)
            {
                await flushing;
            }

            var (keep, upTo) = (random.Next(3), random.Next(300));
            _disk.Crash(at => keep == 0 || (keep == 1 ? at < upTo : random.Next(8) > 0));
            foreach (var task in pending)
            {
                await Should.ThrowAsync<IdempotencyStoreUnavailableException>(() => task);
            }

            await RestartAsync();
        }

        /// <summary>Claims a key if it is free; that it may be is checked against the model.</summary>
        private async Task<IdempotencyClaim?> TryClaimAsync(string key)
        {
            var reply = await Store.Ask(key);
            if (_running.Contains(key))
            {
                reply.Status.ShouldBe(ClaimStatus.Running);
                return null;
            }

            var now = reply.Status switch
            {
                ClaimStatus.Claimed => Free,
                ClaimStatus.Unknown => Unknown,
                _ => reply.Text(),
            };
            (_later.GetValueOrDefault(key) ?? [Free]).ShouldContain(now, $"key {key}");
            return reply.Claim;
        }

        private async Task RestartAsync()
        {
            if (_store is not null)
            {
                await _store.DisposeAsync();
            }

            _disk.Dispose();
            await OpenAsync();
            _running.Clear();
            for (var key = 0; key < 13; key++)
            {
                if (await TryClaimAsync($"{key}") is { } claim)
                {
                    await Store.Release(claim);
                }
            }
        }

        private async Task OpenAsync()
        {
            _disk = new FaultyDisk();
            _store = await _folder.OpenAsync(_disk);
        }
    }
}

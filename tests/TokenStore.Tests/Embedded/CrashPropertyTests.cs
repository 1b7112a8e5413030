using FenceGateway.DurableLog.Tests;
using FenceGateway.Fencing;
using FenceGateway.TokenStore.Embedded;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace FenceGateway.TokenStore.Tests.Embedded;

/// <summary>
/// Random lives of a store: raises, operator's marks up and down, write failures, clean stops, and power cuts in the
/// middle of a flush that lose or keep arbitrary bytes. Segments and snapshots are tiny, so that they begin and end all
/// the time.
/// </summary>
public sealed class CrashPropertyTests
{
    private enum Kind
    {
        Enter,
        SetMark,
        EnterAll,
        DiskFull,
        Stop,
        Crash,
    }

    private static readonly Gen<Step> Steps =
        from kind in Gen.Frequency(
            (30, Gen.Constant(Kind.Enter)), (6, Gen.Constant(Kind.SetMark)), (3, Gen.Constant(Kind.EnterAll)),
            (2, Gen.Constant(Kind.DiskFull)), (1, Gen.Constant(Kind.Stop)), (3, Gen.Constant(Kind.Crash)))
        from key in Gen.Choose(0, 4)
        from delta in Gen.Choose(-2, 3)
        from seed in Gen.Choose(0, 1_000_000)
        select new Step(kind, key, delta, seed);

    [Property(MaxTest = 60, StartSize = 20, EndSize = 120)]
    public Property Operations_WithCrashes_NeverLoseAnAnsweredMark() =>
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

    private sealed record Step(Kind Kind, int Key, int Delta, int Seed);

    /// <summary>Runs the steps against a store and against what may be true after each of them.</summary>
    private sealed class Life : IAsyncDisposable
    {
        private readonly TestFolder _folder = new();
        private readonly Dictionary<string, ResourceState> _model = new(StringComparer.Ordinal);
        private FaultyDisk _disk = new();
        private EmbeddedTokenStore? _store;

        private EmbeddedTokenStore Store => _store!;

        public async Task RunAsync(Step[] steps)
        {
            _folder.Options.SnapshotThreshold = 600;
            _folder.Options.SegmentSize = 250;
            _folder.Options.SnapshotBlock = 64;
            await Open();
            foreach (var step in steps)
            {
                await Run(step);
            }

            await Store.DisposeAsync();
            await Open();
            ExpectModel();
        }

        public async ValueTask DisposeAsync()
        {
            await Store.DisposeAsync();
            _disk.Dispose();
            _folder.Dispose();
        }

        private static string Name(int key) => $"r/{key}";

        private Task Run(Step step) => step.Kind switch
        {
            Kind.Enter => Enter(step),
            Kind.SetMark => SetMark(step),
            Kind.EnterAll => EnterAll(step),
            Kind.DiskFull => DiskFull(step),
            Kind.Stop => Stop(),
            _ => Crash(step),
        };

        private async Task Open()
        {
            _disk = new FaultyDisk();
            _store = await _folder.OpenAsync(_disk);
            _folder.Clock.Advance(TestFolder.Hold);
        }

        private async Task Enter(Step step)
        {
            var (state, token, oldest) = Next(step);
            var expected = state.Enter("s", token, oldest, sequence: 1, hold: 0, now: 0);
            (await Store.Enter(Name(step.Key), token, oldest)).ShouldBe(
                new EnterReply(expected.Status, new FencingToken(state.Mark)));
        }

        private async Task SetMark(Step step)
        {
            var state = State(step.Key);
            var mark = Math.Max(0, state.Mark + (step.Delta * 2));
            state.TrySetMark("s", mark, hold: 0, now: 0).ShouldBeTrue();
            await Store.SetMark(Name(step.Key), mark);
        }

        /// <summary>Several at once, so that batches have more than one record.</summary>
        private Task EnterAll(Step step) =>
            Task.WhenAll(
                Enumerable.Range(0, 5).Select(key => Enter(step with { Key = key, Delta = Math.Abs(step.Delta) })));

        private async Task DiskFull(Step step)
        {
            var (state, token, oldest) = Next(step);
            _disk.PartialWrite = step.Seed % 80;
            _disk.WriteFault = new IOException("No space left on device");
            if (state.Mark < token)
            {
                await Should.ThrowAsync<TokenStoreUnavailableException>(
                    () => Store.Enter(Name(step.Key), token, oldest));

                // Not answered, but raised: it is written as soon as that is possible.
                state.Enter("s", token, oldest, sequence: 1, hold: 0, now: 0);
            }

            var retried = Store.Queue.NextTry();
            _disk.WriteFault = null;
            if (Store.Fault is not null)
            {
                _folder.Clock.Advance(TimeSpan.FromSeconds(1));
                (await retried).ShouldBeNull();
            }

            ExpectModel();
        }

        private async Task Stop()
        {
            await Store.Close();
            await Store.DisposeAsync();
            await Open();
            ExpectModel();
        }

        /// <summary>
        /// Changes that are not answered, some of them in the batch that is being flushed, and then the power goes.
        /// </summary>
        private async Task Crash(Step step)
        {
            var random = new Random(step.Seed);
            var flushing = _disk.HoldFlushes();
            var possible = new Dictionary<string, HashSet<long>>(StringComparer.Ordinal);
            var pending = new List<Task>();
            for (var i = 0; i < random.Next(1, 6); i++)
            {
                var name = Name(random.Next(5));
                var state = State(name);
                possible.TryAdd(name, [state.Mark]);
                if (random.Next(4) == 0)
                {
                    state.TrySetMark("s", random.Next(5), hold: 0, now: 0);
                    pending.Add(Store.SetMark(name, state.Mark));
                }
                else
                {
                    state.Enter("s", state.Mark + 1, state.Mark + 1, sequence: 1, hold: 0, now: 0);
                    pending.Add(Store.Enter(name, state.Mark));
                }

                possible[name].Add(state.Mark);
            }

            await flushing;
            var keep = random.Next(3);
            var upTo = random.Next(200);
            _disk.Crash(at => keep == 0 || (keep == 1 ? at < upTo : random.Next(8) > 0));
            foreach (var task in pending)
            {
                await Should.ThrowAsync<TokenStoreUnavailableException>(() => task);
            }

            await Store.DisposeAsync();
            _disk.Dispose();
            await Open();
            foreach (var (name, marks) in possible)
            {
                Store.Peek(name).ShouldBeOneOf([.. marks]);
                var state = State(name);
                state.TrySetMark("s", Store.Peek(name), hold: 0, now: 0);
            }

            ExpectModel();
        }

        private (ResourceState State, long Token, long Oldest) Next(Step step)
        {
            var state = State(step.Key);
            var token = Math.Max(1, state.Mark + step.Delta);
            return (state, token, Math.Max(1, token - (step.Seed % 2)));
        }

        private ResourceState State(int key) => State(Name(key));

        private ResourceState State(string name) =>
            _model.TryGetValue(name, out var state) ? state : _model[name] = new ResourceState();

        private void ExpectModel()
        {
            foreach (var (name, state) in _model)
            {
                Store.Peek(name).ShouldBe(state.Mark, name);
            }
        }
    }
}

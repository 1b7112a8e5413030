using System.Collections.Concurrent;
using FenceGateway.Gateway.Overload;
using FenceGateway.Gateway.Tests.Configuration;
using FenceGateway.TestKit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.Gateway.Tests.Overload;

public sealed class SheddingTests : IDisposable, ILogger<Shedding>
{
    private readonly ConcurrentQueue<(int Id, string Text)> _log = new();
    private readonly ManualTimeProvider _time = new();
    private readonly ConfigurationFolder _folder = new();
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

    [Fact]
    public async Task Count_AFlood_IsTwoLinesInTheLog()
    {
        using var shedding = await CreateAsync();

        for (var second = 0; second < 60; second++)
        {
            for (var i = 0; i < 100; i++)
            {
                shedding.Count();
            }

            _time.Advance(TimeSpan.FromSeconds(1));
        }

        _log.ShouldHaveSingleItem().Id.ShouldBe(1671);
        _time.Advance(2 * Shedding.Quiet);
        _log.Select(l => l.Id).ShouldBe([1671, 1672]);
        _log.Last().Text.ShouldContain("6000 requests");
        _time.ArmedTimers.ShouldBe(0);
    }

    [Fact]
    public async Task Count_AgainAfterItWasOver_BeginsAnew()
    {
        using var shedding = await CreateAsync();

        for (var i = 0; i < 3; i++)
        {
            shedding.Count();
            _time.Advance(2 * Shedding.Quiet);
        }

        _log.Select(l => l.Id).ShouldBe([1671, 1672, 1671, 1672, 1671, 1672]);
    }

    [Fact]
    public async Task Count_FromManyThreads_BeginsOnce()
    {
        using var shedding = await CreateAsync();

        Parallel.For(0, 10_000, _ => shedding.Count());
        _time.Advance(2 * Shedding.Quiet);

        _log.Select(l => l.Id).ShouldBe([1671, 1672]);
        _log.Last().Text.ShouldContain("10000 requests");
    }

    [Fact]
    public async Task TryEnter_FromManyThreads_NeverTakesMoreThanTheLimit()
    {
        var inFlight = await CreateInFlightAsync();
        var (taken, most) = (0, 0);

        Parallel.For(0, 10_000, _ =>
        {
            if (inFlight.TryEnter())
            {
                InterlockedMax(ref most, Interlocked.Increment(ref taken));
                Interlocked.Decrement(ref taken);
                inFlight.Leave();
            }
        });

        most.ShouldBeInRange(1, 3);
        inFlight.Count.ShouldBe(0);
    }

    public void Dispose()
    {
        _services.Dispose();
        _folder.Dispose();
    }

    void ILogger.Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        logLevel.ShouldBe(LogLevel.Warning);
        _log.Enqueue((eventId.Id, formatter(state, exception)));
    }

    bool ILogger.IsEnabled(LogLevel logLevel) => true;

    IDisposable? ILogger.BeginScope<TState>(TState state) => null;

    private async Task<Shedding> CreateAsync()
    {
        var inFlight = await CreateInFlightAsync();
        var metrics = new OverloadMetrics(
            _services.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>(), inFlight);
        return new Shedding(inFlight, metrics, _time, this);
    }

    private async Task<InFlightRequests> CreateInFlightAsync()
    {
        _folder.Write(Json.Gateway(""" "Limits": { "MaxInFlight": 3 } """));
        return new InFlightRequests(
            (await _folder.LoadAsync()).Part(current => current.Options.Limits), NullLogger<InFlightRequests>.Instance);
    }

    private static void InterlockedMax(ref int target, int value)
    {
        int seen;
        while ((seen = Volatile.Read(ref target)) < value
            && Interlocked.CompareExchange(ref target, value, seen) != seen)
        {
        }
    }
}

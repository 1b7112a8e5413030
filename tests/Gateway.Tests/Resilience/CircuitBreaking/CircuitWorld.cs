using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using FenceGateway.Gateway.Forwarding;
using FenceGateway.Gateway.Requests;
using FenceGateway.Gateway.Resilience;
using FenceGateway.Gateway.Resilience.CircuitBreaking;
using FenceGateway.TestKit;
using Microsoft.Extensions.Logging;

namespace FenceGateway.Gateway.Tests.Resilience.CircuitBreaking;

/// <summary>A clock, what is logged, what is measured, and attempts as they end.</summary>
internal sealed class CircuitWorld : ILogger<Circuit>, IMeterFactory
{
    private readonly MeterListener _listener = new();

    public CircuitWorld()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Scope == this)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, _, tags, _) => Note(instrument, "", tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Note(instrument, $"={value}", tags));
        _listener.Start();
        Metrics = new CircuitMetrics(this);
        Events = new CircuitEvents(Metrics, this);
    }

    public ManualTimeProvider Time { get; } = new();

    public CircuitMetrics Metrics { get; }

    public CircuitEvents Events { get; }

    public ConcurrentQueue<(int Id, string Text)> Logged { get; } = new();

    /// <summary>Instrument and tag values, with the value for gauges.</summary>
    public ConcurrentQueue<string> Measured { get; } = new();

    public static CircuitBreakerPolicy Policy(
        double ratio = 0.5, int minimum = 4, int probes = 1, TimeSpan? slow = null, int breakSeconds = 5) => new(
        ratio, minimum, TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(breakSeconds), probes, slow,
        new StatusSet([502, 503, 504]));

    public static AttemptResult Status(int status, TimeSpan duration = default) =>
        new(ForwardEnd.Answered, AttemptFault.None, status, duration);

    public static AttemptResult Fault(AttemptFault fault, TimeSpan duration = default) =>
        new(ForwardEnd.InDoubt, fault, 0, duration);

    public Circuit NewCircuit(CircuitBreakerPolicy? policy = null, string destination = "a") =>
        new(new CircuitName("orders", destination, "default"), "http://a/", policy ?? Policy(), Events, Time);

    public static void Open(Circuit circuit)
    {
        for (var i = 0; i < circuit.Policy.MinimumThroughput; i++)
        {
            circuit.Report(Fault(AttemptFault.TimedOut));
        }
    }

    public void Advance(double seconds) => Time.Advance(TimeSpan.FromSeconds(seconds));

    public void ReadGauges() => _listener.RecordObservableInstruments();

    public Meter Create(MeterOptions options)
    {
        options.Scope = this;
        return new Meter(options);
    }

    public void Dispose() => _listener.Dispose();

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter) =>
        Logged.Enqueue((eventId.Id, formatter(state, exception)));

    private void Note(Instrument instrument, string value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var text = instrument.Name["fencegateway.circuit.".Length..];
        foreach (var (_, tag) in tags)
        {
            text += $" {tag}";
        }

        Measured.Enqueue(text + value);
    }
}

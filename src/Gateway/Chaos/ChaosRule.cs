using System.Net.Sockets;
using Polly;
using Polly.Simmy;
using Polly.Simmy.Fault;
using Polly.Simmy.Latency;
using Polly.Simmy.Outcomes;

namespace FenceGateway.Gateway.Chaos;

/// <summary>
/// A rule, as a pipeline of Polly's chaos strategies. What comes out of it says what becomes of the attempt.
/// </summary>
internal sealed class ChaosRule
{
    /// <summary>Comes out when nothing takes the service's place.</summary>
    public const int Forward = 0;

    private static readonly ResiliencePropertyKey<HttpContext> Request = new("request");

    private readonly ResiliencePipeline<int> _pipeline;
    private readonly string? _header;
    private readonly ChaosReport _report;

    /// <param name="name">The rule's name.</param>
    /// <param name="options">The rule.</param>
    /// <param name="report">Is told of each injection before it happens.</param>
    /// <param name="time">The time of latencies.</param>
    /// <param name="randomizer">Draws from 0 to 1; null for a random one.</param>
    public ChaosRule(
        string name, ChaosRuleOptions options, ChaosReport report, TimeProvider time, Func<double>? randomizer = null)
    {
        (Name, _header, _report) = (name, options.Header, report);
        var builder = new ResiliencePipelineBuilder<int> { TimeProvider = time };
        var draw = randomizer ?? new ChaosLatencyStrategyOptions().Randomizer;
        if (options.Latency is { } latency)
        {
            AddLatency(builder, latency, options.InjectionRate, draw);
        }

        if (options.Fault != ChaosFault.None)
        {
            AddFault(builder, options.Fault, options.InjectionRate, draw);
        }

        if (options.Outcome is { } status)
        {
            AddOutcome(builder, status, options.InjectionRate, draw);
        }

        _pipeline = builder.Build();
    }

    public string Name { get; }

    public bool AppliesTo(HttpRequest request) => _header is null || request.Headers.ContainsKey(_header);

    /// <summary>
    /// Draws, and waits where a latency was drawn: a fault, a status to answer, or <see cref="Forward"/>.
    /// </summary>
    public async ValueTask<Outcome<int>> InjectAsync(HttpContext context)
    {
        var execution = ResilienceContextPool.Shared.Get(context.RequestAborted);
        execution.Properties.Set(Request, context);
        try
        {
            return await _pipeline.ExecuteOutcomeAsync(
                static (_, _) => ValueTask.FromResult(Outcome.FromResult(Forward)), execution, 0);
        }
        finally
        {
            ResilienceContextPool.Shared.Return(execution);
        }
    }

    /// <summary>
    /// Told of by the generator: Polly's own callback comes when the wait is over, and not at all when it was cut
    /// short.
    /// </summary>
    private void AddLatency(ResiliencePipelineBuilder<int> builder, TimeSpan latency, double rate, Func<double> draw) =>
        builder.AddChaosLatency(new ChaosLatencyStrategyOptions
        {
            InjectionRate = rate,
            Randomizer = draw,
            LatencyGenerator = args => ValueTask.FromResult(Report(args.Context, ChaosKind.Latency, latency)),
        });

    private void AddFault(ResiliencePipelineBuilder<int> builder, ChaosFault fault, double rate, Func<double> draw)
    {
        var kind = fault == ChaosFault.Reset ? ChaosKind.Reset : ChaosKind.ConnectionRefused;
        builder.AddChaosFault(new ChaosFaultStrategyOptions
        {
            InjectionRate = rate,
            Randomizer = draw,
            FaultGenerator = args => ValueTask.FromResult<Exception?>(
                Report(args.Context, kind, kind == ChaosKind.Reset ? Reset() : Refused())),
        });
    }

    private void AddOutcome(ResiliencePipelineBuilder<int> builder, int status, double rate, Func<double> draw) =>
        builder.AddChaosOutcome(new ChaosOutcomeStrategyOptions<int>
        {
            InjectionRate = rate,
            Randomizer = draw,
            OutcomeGenerator = args => ValueTask.FromResult<Outcome<int>?>(
                Report(args.Context, ChaosKind.Outcome, Outcome.FromResult(status))),
        });

    private T Report<T>(ResilienceContext execution, ChaosKind kind, T injected)
    {
        _report.Injected(execution.Properties.GetValue(Request, null!), Name, kind);
        return injected;
    }

    /// <summary>As HttpClient throws when the service's end is gone after the request was sent.</summary>
    private static HttpRequestException Reset() => new(
        "Chaos: the connection was reset.",
        new IOException("Chaos: the connection was reset.", new SocketException((int)SocketError.ConnectionReset)));

    /// <summary>As HttpClient throws when nobody listens.</summary>
    private static HttpRequestException Refused() => new(
        HttpRequestError.ConnectionError, "Chaos: the connection was refused.",
        new SocketException((int)SocketError.ConnectionRefused));
}

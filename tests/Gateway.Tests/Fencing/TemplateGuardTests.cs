using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Fencing;
using FenceGateway.Gateway.Settings;
using FenceGateway.Gateway.Tests.Configuration;
using FenceGateway.TestKit;
using FenceGateway.TokenStore;
using FenceGateway.TokenStore.Conformance;
using FenceGateway.TokenStore.Memory;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace FenceGateway.Gateway.Tests.Fencing;

/// <summary>A reload does not lose sight of a write by giving its resource another key.</summary>
public sealed class TemplateGuardTests : IDisposable
{
    private const string Two = """
        "a": { "Resource": "orders/{id}" }, "b": { "Resource": "carts/{id}" }, "c": { "Resource": "orders/{id}", "InDoubtHold": "00:00:10" }
        """;

    private readonly ConfigurationFolder _folder = new();
    private readonly ManualTimeProvider _time = new();
    private readonly FenceTable _table;
    private readonly WarningLogger _log = new();
    private readonly TemplateGuard _guard;

    public TemplateGuardTests()
    {
        _table = new(
            TestSession.Open(new MemoryTokenStore(_time, NullLogger<MemoryTokenStore>.Instance), _time), _time,
            capacity: 16);
        _guard = new(_table, _log);
    }

    [Theory]
    [InlineData(""" "a": { "Resource": "order/{id}" } """, "'orders/{id}'", "'order/{id}'")]
    [InlineData(""" "a": { "Resource": "orders/{id}", "CaseInsensitive": true } """, "'orders/{id}'", "'orders/{id}' (CaseInsensitive)")]
    public async Task Check_OtherKeysNothingActive_IsTakenWithOneWarningThatNamesBoth(
        string policies, string from, string to)
    {
        (await CheckAsync(""" "a": { "Resource": "orders/{id}" } """, policies)).ShouldBeEmpty();
        _log.Lines.ShouldHaveSingleItem().ShouldContain($"{to} instead of {from}. Marks of the old keys do not count");
    }

    [Theory]
    [InlineData(""" "a": { "Resource": "orders/{id}", "DrainTimeout": "00:00:09" } """)]
    [InlineData(""" "a": { "Resource": "orders/{id}" }, "new": { "Resource": "x/{id}" } """)]
    public async Task Check_SameKeys_SaysNothing(string policies)
    {
        await BeginAsync("orders/1");
        (await CheckAsync(""" "a": { "Resource": "orders/{id}" } """, policies)).ShouldBeEmpty();
        _log.Lines.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("orders/1", true)]
    [InlineData("ORDERS/1", true)]
    [InlineData("carts/1", false)]
    public async Task Check_OtherKeysWhileSomethingIsInFlight_IsRefusedIfTheOldTemplateMayHaveMadeItsKey(
        string active, bool refused)
    {
        await BeginAsync(active);

        var problems = await CheckAsync(""" "a": { "Resource": "orders/{id}" } """, """ "a": { "Resource": "order/{id}" } """);

        if (!refused)
        {
            problems.ShouldBeEmpty();
            return;
        }

        var problem = problems.ShouldHaveSingleItem();
        problem.Path.ShouldBe("$.FenceGateway.FencingPolicies.a.Resource");
        problem.Message.ShouldContain(
            $"'order/{{id}}' instead of 'orders/{{id}}', while writes are in flight or in doubt under old ones "
                + $"({active})");
        _log.Lines.ShouldBeEmpty();
    }

    [Fact]
    public async Task Check_ManyInFlight_NamesThree()
    {
        for (var i = 1; i <= 5; i++)
        {
            await BeginAsync($"orders/{i}");
        }

        var problem = (await CheckAsync(""" "a": { "Resource": "orders/{id}" } """, """ "a": { "Resource": "order/{id}" } """)).ShouldHaveSingleItem();
        problem.Message.ShouldContain(" and 2 more)");
    }

    [Fact]
    public async Task Check_InDoubt_IsRefusedUntilTheHoldIsOver()
    {
        var (fence, token) = await BeginAsync("orders/1");
        fence.EndInDoubt(token, TimeSpan.FromSeconds(10), _time);
        (await CheckAsync(""" "a": { "Resource": "orders/{id}" } """, """ "a": { "Resource": "order/{id}" } """)).ShouldHaveSingleItem();

        _time.Advance(TimeSpan.FromSeconds(10));

        (await CheckAsync(""" "a": { "Resource": "orders/{id}" } """, """ "a": { "Resource": "order/{id}" } """)).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("b", true)]
    [InlineData("c", false)]
    public async Task Check_RouteTakesAnotherPolicy_IsRefusedIfItsKeysAreOthers(string policy, bool refused)
    {
        await BeginAsync("orders/1");

        var problems = await CheckAsync(Two, Two, policy);

        problems.Select(p => p.Path).ShouldBe(refused ? ["$.ReverseProxy.Routes.r.Metadata.FencingPolicy"] : []);
    }

    public void Dispose() => _folder.Dispose();

    private async Task<IReadOnlyList<ConfigProblem>> CheckAsync(
        string before, string after, string policyAfter = "a") =>
        _guard.Check((await LoadAsync(before, "a")).Fenced, (await LoadAsync(after, policyAfter)).Fenced);

    private async Task<GatewayConfiguration> LoadAsync(string policies, string policy)
    {
        _folder.Write($$"""
            {
              "ReverseProxy": {
                "Routes": { "r": { "ClusterId": "c", "Match": { "Path": "/orders/{id}" }, "Metadata": { "FencingPolicy": "{{policy}}" } } },
                "Clusters": { "c": { "Destinations": { "a": { "Address": "http://127.0.0.1:9001/" } } } }
              },
              "FenceGateway": { "FencingPolicies": { {{policies}} } }
            }
            """);
        using var configuration = await _folder.LoadAsync();
        return configuration.Current;
    }

    private async Task<(ResourceFence Fence, FenceGateway.Fencing.FencingToken Token)> BeginAsync(string key)
    {
        FenceGateway.Fencing.FencingToken.TryParse("33", out var token).ShouldBeTrue();
        var rules = new AdmissionRules(Drain: true, TimeSpan.Zero, TimeSpan.FromSeconds(10));
        var admission = await _table.AdmitAsync(
            _table.Get(key), token, isWrite: true, rules, TestContext.Current.CancellationToken);
        admission.Status.ShouldBe(AdmissionStatus.Admitted);
        return (admission.Fence, token);
    }

    private sealed class WarningLogger : ILogger<TemplateGuard>
    {
        public List<string> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            logLevel.ShouldBe(LogLevel.Warning);
            Lines.Add(formatter(state, exception));
        }
    }
}

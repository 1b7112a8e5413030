using FenceGateway.Gateway.Resilience;
using FenceGateway.Gateway.Resilience.CircuitBreaking;
using Polly.CircuitBreaker;
using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Tests.Resilience.CircuitBreaking;

public sealed class CircuitRegistryTests : IDisposable
{
    private readonly CircuitWorld _world = new();
    private readonly CircuitRegistry _registry;

    public CircuitRegistryTests() => _registry = new CircuitRegistry(_world.Metrics, _world.Events, _world.Time);

    public void Dispose() => _world.Dispose();

    [Fact]
    public void Apply_NothingChanged_KeepsTheCircuits()
    {
        _registry.Apply([(Cluster("a", "b"), Policy())]);
        var (a, b) = (Circuit("a"), Circuit("b"));
        CircuitWorld.Open(a);

        _registry.Apply([(Cluster("a", "b", "c"), Policy())]);

        Circuit("a").ShouldBeSameAs(a);
        Circuit("b").ShouldBeSameAs(b);
        Circuit("a").State.ShouldBe(CircuitState.Open);
        Circuit("c").State.ShouldBe(CircuitState.Closed);
    }

    [Fact]
    public void Apply_BreakerChanged_StartsAnewButKeepsTheIsolation()
    {
        _registry.Apply([(Cluster("a", "b"), Policy())]);
        CircuitWorld.Open(Circuit("a"));
        _registry.Isolate("ORDERS", "B", "maintenance").ShouldBeTrue();

        _registry.Apply([(Cluster("a", "b"), Policy(minimum: 7))]);

        Circuit("a").State.ShouldBe(CircuitState.Closed);
        Circuit("a").Policy.MinimumThroughput.ShouldBe(7);
        Circuit("b").IsolatedFor.ShouldBe("maintenance");
    }

    [Fact]
    public void Apply_DestinationMoved_StartsAnewButKeepsTheIsolation()
    {
        _registry.Apply([(Cluster("a", "b"), Policy())]);
        CircuitWorld.Open(Circuit("a"));
        _registry.Isolate("orders", "b", "maintenance").ShouldBeTrue();
        var moved = new Dictionary<string, DestinationConfig>
        {
            ["a"] = new() { Address = "http://elsewhere/" },
            ["b"] = new() { Address = "http://elsewhere/" },
        };

        _registry.Apply([(new ClusterConfig { ClusterId = "orders", Destinations = moved }, Policy())]);

        Circuit("a").State.ShouldBe(CircuitState.Closed);
        Circuit("b").IsolatedFor.ShouldBe("maintenance");
    }

    [Fact]
    public void Apply_DestinationGone_ForgetsItsCircuit()
    {
        _registry.Apply([(Cluster("a", "b"), Policy())]);
        _registry.Isolate("orders", "b", "maintenance").ShouldBeTrue();
        _registry.Apply([(Cluster("a"), Policy())]);
        _registry.Isolate("orders", "b", "maintenance").ShouldBeFalse();

        _registry.Apply([(Cluster("a", "b"), Policy())]);

        Circuit("b").State.ShouldBe(CircuitState.Closed);
    }

    [Fact]
    public void Isolate_TwoPoliciesForOneCluster_IsolatesUnderBothAndUnderALaterThird()
    {
        _registry.Apply([(Cluster("a"), Policy("p")), (Cluster("a"), Policy("q")), (Cluster("a"), Policy("Q"))]);
        _registry.Of("orders").Count().ShouldBe(2);

        _registry.Isolate("orders", "a", "maintenance").ShouldBeTrue();

        Circuit("a", "p").IsolatedFor.ShouldBe("maintenance");
        Circuit("a", "q").IsolatedFor.ShouldBe("maintenance");
        _registry.Apply([(Cluster("a"), Policy("p")), (Cluster("a"), Policy("r"))]);
        Circuit("a", "r").IsolatedFor.ShouldBe("maintenance");
        _registry.Close("orders", "a", "done").ShouldBeTrue();
        Circuit("a", "r").IsClosed.ShouldBeTrue();
    }

    [Fact]
    public void Gauge_ShowsTheStateOfEachCircuitInForce()
    {
        _registry.Apply([(Cluster("a", "b", "c"), Policy())]);
        CircuitWorld.Open(Circuit("a"));
        _registry.Isolate("orders", "b", "maintenance").ShouldBeTrue();
        _world.Measured.Clear();

        _world.ReadGauges();

        _world.Measured.Order(StringComparer.Ordinal).ShouldBe(
            ["state orders a p=2", "state orders b p=3", "state orders c p=0"]);
    }

    private Circuit Circuit(string destination, string policy = "p") =>
        _registry.Find("orders", policy)!.Of(destination)!;

    private static ResiliencePolicy Policy(string name = "p", int minimum = 4) =>
        new(name, CircuitWorld.Policy(minimum: minimum), null, null, null, null);

    private static ClusterConfig Cluster(params string[] destinations) => new()
    {
        ClusterId = "orders",
        Destinations = destinations.ToDictionary(d => d, d => new DestinationConfig { Address = $"http://{d}/" }),
    };
}

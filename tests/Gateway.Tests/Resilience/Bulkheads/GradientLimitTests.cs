using FenceGateway.Gateway.Resilience.Bulkheads;
using FenceGateway.TestKit;

namespace FenceGateway.Gateway.Tests.Resilience.Bulkheads;

/// <summary>The limit against a simulated service that works on some requests at once and queues the others.</summary>
public sealed class GradientLimitTests
{
    private const int Plenty = 10_000;

    /// <summary>Where the limit comes to rest: limit = 1.25 c + √limit.</summary>
    private static double RestAt(int capacity)
    {
        var root = (1 + Math.Sqrt(1 + 4 * 1.25 * capacity)) / 2;
        return root * root;
    }

    [Theory]
    [InlineData(40, 64)]
    [InlineData(40, 8)]
    [InlineData(8, 64)]
    [InlineData(200, 16)]
    [InlineData(10, 400)]
    public void Limit_ServiceUnderFullLoad_ComesToRestBetweenItsCapacityAndThePromisedTop(int capacity, int initial)
    {
        var service = new Service(capacity);
        var limit = new GradientLimit(initial, 4, 1000);
        service.Run(limit, samples: 200_000, demand: Plenty);

        var (lowest, mean, highest) = service.Run(limit, samples: 200_000, demand: Plenty);

        mean.ShouldBeInRange(capacity, RestAt(capacity) * 1.15);
        highest.ShouldBeLessThan(RestAt(capacity) * 1.3);
        lowest.ShouldBeGreaterThan(capacity / 3.0, "a probe takes half of it, for a moment");
    }

    [Fact]
    public void Limit_NoisyLatencies_StaysAroundTheCapacity() =>
        new RandomSeed().Run(random =>
        {
            var service = new Service(40) { Noise = () => -Math.Log(1 - random.NextDouble()) };
            var limit = new GradientLimit(64, 4, 1000);
            service.Run(limit, samples: 200_000, demand: Plenty);

            service.Run(limit, samples: 200_000, demand: Plenty).Mean.ShouldBeInRange(40 * 0.85, RestAt(40) * 1.2);
        });

    [Fact]
    public void Limit_ServiceLosesCapacityAndGetsItBack_GoesDownAndUpAgain()
    {
        var service = new Service(40);
        var limit = new GradientLimit(64, 4, 1000);
        service.Run(limit, samples: 100_000, demand: Plenty);

        service.Capacity = 10;
        service.Run(limit, samples: 20_000, demand: Plenty);
        service.Run(limit, samples: 20_000, demand: Plenty).Mean.ShouldBeInRange(10, RestAt(10) * 1.15);

        service.Capacity = 40;
        service.Run(limit, samples: 20_000, demand: Plenty);
        service.Run(limit, samples: 20_000, demand: Plenty).Mean.ShouldBeInRange(40, RestAt(40) * 1.15);
    }

    [Fact]
    public void Limit_ServiceBecomesSlowerByItself_GoesDownAtFirstAndFindsThatItIsNoQueue()
    {
        var service = new Service(40);
        var limit = new GradientLimit(64, 4, 1000);
        service.Run(limit, samples: 100_000, demand: Plenty);

        service.Latency = 5;
        service.Run(limit, samples: 500, demand: Plenty).Lowest.ShouldBeLessThan(40.0);
        service.Run(limit, samples: 20_000, demand: Plenty);
        service.Run(limit, samples: 20_000, demand: Plenty).Mean.ShouldBeInRange(40, RestAt(40) * 1.15);
    }

    [Fact]
    public void Limit_ServiceThatNeverAnswers_GoesToTheMinimumAndComesBackWithTheAnswers()
    {
        var service = new Service(40);
        var limit = new GradientLimit(64, 4, 1000);
        service.Run(limit, samples: 100_000, demand: Plenty);

        for (var i = 0; i < 2_000; i++)
        {
            limit.Sample(TimeSpan.FromSeconds(10), dropped: true, limit.Limit);
        }

        limit.Limit.ShouldBe(4);
        service.Run(limit, samples: 20_000, demand: Plenty);
        service.Run(limit, samples: 20_000, demand: Plenty).Mean.ShouldBeInRange(40, RestAt(40) * 1.15);
    }

    [Fact]
    public void Limit_LatencyStaysWhateverTheLoad_GrowsToTheMaximumAndNoFurther()
    {
        var service = new Service(capacity: 1_000_000);
        var limit = new GradientLimit(16, 4, 100);
        service.Run(limit, samples: 20_000, demand: Plenty).Highest.ShouldBe(100.0);
    }

    [Fact]
    public void Limit_HardlyUsed_DoesNotGrow()
    {
        var service = new Service(capacity: 1_000_000);
        var limit = new GradientLimit(64, 4, 1000);

        var (lowest, _, highest) = service.Run(limit, samples: 50_000, demand: 20);

        (lowest, highest).ShouldBe((64.0, 64.0));
    }

    [Fact]
    public void Limit_WhateverComes_StaysWithinItsBounds() =>
        new RandomSeed().Run(random =>
        {
            var limit = new GradientLimit(20, 7, 90);
            for (var i = 0; i < 200_000; i++)
            {
                limit.Sample(
                    TimeSpan.FromTicks(random.NextInt64(1, 1L << random.Next(1, 40))), random.Next(10) == 0,
                    random.Next(100));
                limit.Limit.ShouldBeInRange(7, 90);
            }
        });

    /// <summary>Works on <see cref="Capacity"/> requests at once; more share it and take longer.</summary>
    private sealed class Service(int capacity)
    {
        private static readonly TimeSpan Unit = TimeSpan.FromMilliseconds(20);

        public int Capacity { get; set; } = capacity;

        public double Latency { get; set; } = 1;

        public Func<double> Noise { get; init; } = () => 1;

        /// <summary>Feeds answers under a lasting demand; the lowest, mean and highest limit meanwhile.</summary>
        public (double Lowest, double Mean, double Highest) Run(GradientLimit limit, int samples, int demand)
        {
            var (lowest, sum, highest) = (limit.Limit, 0L, limit.Limit);

            // What is in flight was begun under the limit of then: latency follows a round trip later.
            Queue<int> begun = new();
            for (var i = 0; i < samples; i++)
            {
                var inUse = Math.Min(limit.Limit, demand);
                while (begun.Count < inUse)
                {
                    begun.Enqueue(inUse);
                }

                var load = begun.Dequeue();
                var latency = Latency * Math.Max(1, (double)load / Capacity) * Noise();
                limit.Sample(Unit * latency, dropped: false, begun.Count + 1);
                (lowest, sum, highest) = (
                    Math.Min(lowest, limit.Limit), sum + limit.Limit, Math.Max(highest, limit.Limit));
            }

            return (lowest, (double)sum / samples, highest);
        }
    }
}

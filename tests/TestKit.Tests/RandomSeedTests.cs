namespace FenceGateway.TestKit.Tests;

public sealed class RandomSeedTests
{
    [Fact]
    public void Run_BodyFails_NamesTheSeedThatReproducesIt()
    {
        var seed = new RandomSeed(text: null);

        var failure = Should.Throw<SeededTestException>(
            () => seed.Run(_ => throw new InvalidOperationException("broken")));

        failure.Message.ShouldBe($"Run again with FENCEGATEWAY_SEED={seed.Value}: broken");
    }

    [Fact]
    public void Run_SameSeed_SameNumbers()
    {
        List<int> numbers = [];

        new RandomSeed("42").Run(random => numbers.Add(random.Next()));
        new RandomSeed("42").Run(random => numbers.Add(random.Next()));

        numbers[0].ShouldBe(numbers[1]);
    }
}

namespace FenceGateway.Simulation.Kernel;

internal static class RandomExtensions
{
    public static bool Chance(this Random random, double probability) =>
        probability > 0 && random.NextDouble() < probability;

    public static TimeSpan Between(this Random random, TimeSpan least, TimeSpan most) =>
        least + TimeSpan.FromTicks((long)(random.NextDouble() * (most - least).Ticks));

    public static T Of<T>(this Random random, IReadOnlyList<T> choices) => choices[random.Next(choices.Count)];
}

using System.Globalization;
using System.Security.Cryptography;

namespace FenceGateway.TestKit;

/// <summary>
/// A random test's seed: fresh for each run unless the environment variable <see cref="Variable"/> sets it. A failure
/// names it.
/// </summary>
public sealed class RandomSeed
{
    public const string Variable = "FENCEGATEWAY_SEED";

    public RandomSeed()
        : this(Environment.GetEnvironmentVariable(Variable))
    {
    }

    internal RandomSeed(string? text)
    {
        Value = text is { Length: > 0 }
            ? int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture)
            : RandomNumberGenerator.GetInt32(int.MaxValue);
    }

    public int Value { get; }

    /// <summary>
    /// Runs <paramref name="body"/>; what it throws is wrapped in a message that tells how to run it again.
    /// </summary>
    /// <exception cref="SeededTestException">The body failed.</exception>
    public void Run(Action<Random> body)
    {
        try
        {
            body(new Random(Value));
        }
        catch (Exception e)
        {
            throw new SeededTestException(Value, e);
        }
    }

    /// <inheritdoc cref="Run"/>
    public async Task RunAsync(Func<Random, Task> body)
    {
        try
        {
            await body(new Random(Value));
        }
        catch (Exception e)
        {
            throw new SeededTestException(Value, e);
        }
    }

    public override string ToString() => $"{Variable}={Value}";
}

/// <summary>A random test failed; the message holds the seed and the failure's own message.</summary>
public sealed class SeededTestException(int seed, Exception inner)
    : Exception($"Run again with {RandomSeed.Variable}={seed}: {inner.Message}", inner);

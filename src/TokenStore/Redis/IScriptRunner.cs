using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>What scripts run on: a Redis, or a node of the simulation.</summary>
internal interface IScriptRunner
{
    /// <summary>Why calls fail now as far as is known without asking; null while they may get through.</summary>
    string? Fault { get; }

    /// <exception cref="TokenStoreUnavailableException">It refused, cannot be reached, or did not answer.</exception>
    ValueTask<RedisResult> RunAsync(
        RedisScript script, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken);
}

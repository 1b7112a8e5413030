using FenceGateway.TokenStore.Redis;

namespace FenceGateway.TokenStore.Quorum;

/// <summary>Makes the scripts of a node. All begin with the same lines: whether this node counts at all.</summary>
internal static class NodeScript
{
    /// <summary>The session does not live at this node.</summary>
    public const int SessionLost = -1;

    /// <summary>A node was resynchronised since: what was counted together with this answer may be gone.</summary>
    public const int Outdated = -3;

    /// <summary>The node lost its data, was never made part of this store, or belongs to another one.</summary>
    public const int Abstains = -4;

    /// <summary>KEYS[1] is the meta key, ARGV[1] the store's name, ARGV[2] the generation.</summary>
    /// <remarks>A script that has written is not refused for want of memory (OOM) any more: here, and in what keeps
    /// sessions and ends them, it begins by taking away what is not there.</remarks>
    private const string Guard =
        """
        local meta = redis.call('HMGET', KEYS[1], 'serving', 'generation')
        if meta[1] ~= ARGV[1] then return {-4} end
        if meta[2] ~= ARGV[2] then
          if tonumber(ARGV[2]) < tonumber(meta[2]) then return {-3, meta[2]} end
          redis.call('HDEL', KEYS[1], '')
          redis.call('HSET', KEYS[1], 'generation', ARGV[2])
        end

        """;

    /// <summary>
    /// <c>after(had, stamp)</c>: the sequence of a change. Stamps come from the clocks of gateways, which differ; at
    /// one resource the sequence grows all the same, so that no change is listed before an older one. Numbers are exact
    /// to 2^53, which stamps reach in 2109.
    /// </summary>
    public const string After =
        """
        local function after(had, stamp)
          return had and tonumber(had) >= tonumber(stamp) and string.format('%.0f', tonumber(had) + 1) or stamp
        end

        """;

    public static RedisScript Guarded(string body) => new(Guard + body);
}

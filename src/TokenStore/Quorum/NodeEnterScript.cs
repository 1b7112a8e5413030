using FenceGateway.TokenStore.Redis;
using StackExchange.Redis;

namespace FenceGateway.TokenStore.Quorum;

/// <summary>The step of one node (R6): check, seal and registration at once.</summary>
internal static class NodeEnterScript
{
    private const int Accepted = 0;
    private const int Had = 4;

    /// <summary>
    /// Answers 0 registered at the token, 1 an older writer is here or in flight from the asking session (4 and 5 if it
    /// was registered at the token before), 2 stale, 3 overtaken; then the mark, and for each other writer: session,
    /// registration, what is known of its session here.
    /// </summary>
    internal static readonly RedisScript Script = NodeScript.Guarded(
        NodeScript.After +
        """
        -- KEYS: 1 meta, 2 sessions, 3 resource, 4 index, 5 revoked
        -- ARGV: 1 store, 2 generation, 3 session, 4 token, 5 oldest token in flight, 6 sequence of the step (4 to 6
        -- with 19 digits), 7 resource's name, 8 channel, 9 stamp of a change, 10 time for people, 11 … sessions that no
        -- longer count
        local session, token, oldest, sequence, name = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
        local field, record = 'w:' .. session, redis.call('HGET', KEYS[2], session)
        if not record or string.sub(record, 1, 1) ~= 'a' then return {-1} end

        local mark, own, had, fields = '0000000000000000000', nil, nil, redis.call('HGETALL', KEYS[3])
        for i = 1, #fields, 2 do
          if fields[i] == 'mark' then mark = fields[i + 1]
          elseif fields[i] == 'seq' then had = fields[i + 1]
          elseif fields[i] == field then own = fields[i + 1] end
        end
        if token < mark then return {2, mark} end
        -- A later step of the session was faster: this one has been given up.
        if own and string.sub(own, 21, 39) > sequence then return {3, mark} end

        local rises, older, risen, told, gone, answer = mark < token, false, false, false, {}, {0, token}
        for i = 11, #ARGV do gone[ARGV[i]] = true end
        for i = 1, #fields, 2 do
          local writer = string.sub(fields[i], 1, 2) == 'w:' and fields[i] ~= field and string.sub(fields[i], 3)
          if writer then
            local registered = string.sub(fields[i + 1], 1, 19)
            local known = redis.call('HGET', KEYS[2], writer) or ''
            if gone[writer] then
              redis.call('HDEL', KEYS[3], fields[i])
              redis.call('ZREM', KEYS[5], writer .. '\n' .. name)
              told = told or registered < mark
            else
              answer[#answer + 1] = writer
              answer[#answer + 1] = fields[i + 1]
              answer[#answer + 1] = known
              if registered < token then
                older = true
                if rises and string.sub(known, 1, 1) == 'a' then
                  redis.call('ZADD', KEYS[5], 0, writer .. '\n' .. name)
                  risen = true
                end
              end
            end
          end
        end

        -- The session's registration never stands above what it still has in flight.
        local admitted = oldest == token and not older
        -- With nothing older on its way it may still have writes with this very token: then it stays registered there.
        local stood = own and string.sub(own, 1, 19) == token
        local place = (admitted or oldest < token or stood) and oldest or nil
        if rises then
          local seq = after(had, ARGV[9])
          redis.call('HSET', KEYS[3], 'mark', token, 'at', ARGV[10], 'seq', seq)
          redis.call('ZADD', KEYS[4], seq, name)
        end
        if place then
          redis.call('HSET', KEYS[3], field, place .. ':' .. sequence .. ':' .. string.match(record, '^a:(%d+):'))
        elseif own then
          redis.call('HDEL', KEYS[3], field)
        end

        -- Whoever is registered below the mark is told so with every heartbeat; who waits is told when somebody there
        -- moves on.
        local was = own and string.sub(own, 1, 19)
        if place and place < token then
          redis.call('ZADD', KEYS[5], 0, session .. '\n' .. name)
        elseif was then
          redis.call('ZREM', KEYS[5], session .. '\n' .. name)
        end
        told = told or (was and was < mark and (not place or place > was))
        if told or risen then redis.call('PUBLISH', ARGV[8], (told and '' or '+') .. token .. ' ' .. name) end
        answer[1] = (admitted and 0 or 1) + (stood and 4 or 0)
        return answer
        """);

    public static ValueTask<RedisResult> SendAsync(
        QuorumNode node, QuorumView view, in EnterRequest request, ChangeStamp stamp, IReadOnlyCollection<string> gone)
    {
        var keys = view.Keys;
        RedisValue[] arguments =
        [
            view.Name, view.Generation, request.Session, RedisKeys.Digits(request.Token.Value),
            RedisKeys.Digits(request.Oldest.Value),
            RedisKeys.Digits(request.Sequence), request.Resource.Value, keys.ChannelIn(node.Database), stamp.Sequence,
            stamp.UnixMilliseconds,
            .. gone.Select(static session => (RedisValue)session),
        ];
        return node.RunAsync(
            Script, [keys.Meta, keys.Sessions, keys.Resource(request.Resource), keys.Index, keys.Revoked], arguments);
    }

    /// <summary>Whether the node has registered the session at the token.</summary>
    public static bool IsAccepted(int code) => code is Accepted or Accepted + Had;

    /// <summary>Reads an answer that is none of those that every script may give.</summary>
    public static NodeEnter Read(RedisResult[] parts) => new(
        (int)parts[0] switch
        {
            Accepted or Accepted + Had => NodeEnterStatus.Accepted,
            1 or 1 + Had => NodeEnterStatus.Held,
            2 => NodeEnterStatus.Stale,
            _ => NodeEnterStatus.Overtaken,
        },
        RedisKeys.Number((string)parts[1]!), NodeWriter.ReadAll(parts, 2), (int)parts[0] >= Had);
}

using StackExchange.Redis;

namespace FenceGateway.TokenStore.Redis;

/// <summary>The atomic step (R6): one script, one round trip.</summary>
internal static class EnterScript
{
    /// <summary>
    /// Answers −1 the session has ended, or 3 admitted; else 1 draining or 2 stale, mark, for how many ms more ended
    /// sessions hold the token back, and 1 if a living one does. Anything else admits nothing. Reads first: a refusal
    /// has changed nothing.
    /// </summary>
    private static readonly RedisScript Script = new(
        """
        -- KEYS: 1 sessions, 2 resource, 3 index, 4 sequence, 5 revoked
        -- ARGV: 1 session, 2 token, 3 oldest token in flight, 4 sequence of the step (2 to 4 with 19 digits),
        --       5 hold of ended sessions in ms, 6 resource's name, 7 channel
        local call, sub = redis.call, string.sub
        local clock = call('TIME')
        local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
        local session, token, oldest, field = ARGV[1], ARGV[2], ARGV[3], 'w:' .. ARGV[1]
        local life = call('HGET', KEYS[1], session)
        if not life or tonumber(sub(life, 1, 13)) <= now then return {-1} end

        local mark, own, others, fields = '0000000000000000000', nil, false, call('HGETALL', KEYS[2])
        for i = 1, #fields, 2 do
          local name = fields[i]
          if name == 'mark' then
            mark = sub(fields[i + 1], 1, 19)
          elseif name == field then
            own = fields[i + 1]
          else
            others = true
          end
        end
        if token < mark then return {2, mark, 0, 0} end
        -- A later step of the session was faster: this one has been given up.
        if own and sub(own, 21) > ARGV[4] then return {1, mark, 0, 1} end

        -- Who else may have older writes on their way. What ended long enough ago counts no more, and is swept.
        local rises, wait, living, risen, told = mark < token, 0, 0, false, false
        if others then
          for i = 1, #fields, 2 do
            local writer = fields[i] ~= 'mark' and fields[i] ~= field and sub(fields[i], 3)
            if writer then
              local registered = sub(fields[i + 1], 1, 19)
              local life = call('HGET', KEYS[1], writer) or '0'
              local ended, most = tonumber(sub(life, 1, 13)), now + (tonumber(sub(life, 15)) or 0)
              if ended > most then
                -- The clock was set back: nobody lives for longer than his time to live from now on.
                ended = most
                call('HSET', KEYS[1], writer, string.format('%013.0f', most) .. sub(life, 14))
              end
              local held = ended + tonumber(ARGV[5]) - now
              if ended > now then
                if registered < token then
                  living = 1
                  if rises then
                    risen = true
                    call('ZADD', KEYS[5], 0, writer .. '\n' .. ARGV[6])
                  end
                end
              elseif held <= 0 then
                told = told or registered < mark
                call('HDEL', KEYS[2], fields[i])
                call('ZREM', KEYS[5], writer .. '\n' .. ARGV[6])
              elseif registered < token and held > wait then
                wait = held
              end
            end
          end
        end

        -- The session's registration never stands above what it still has in flight. With nothing older in flight there
        -- may still be writes with this very token: one that stands at it stays.
        local stands = own and sub(own, 1, 19)
        local admitted = oldest == token and living == 0 and wait == 0
        local place = (admitted or oldest < token or stands == token) and oldest .. ':' .. ARGV[4]
        if rises then
          local change = tostring(call('INCR', KEYS[4]))
          local raised = token .. ':' .. change .. ':' .. clock[1] .. ':' .. clock[2]
          if place then
            call('HSET', KEYS[2], 'mark', raised, field, place)
          else
            call('HSET', KEYS[2], 'mark', raised)
          end
          call('ZADD', KEYS[3], change, ARGV[6])
        elseif place then
          call('HSET', KEYS[2], field, place)
        end
        if own and not place then call('HDEL', KEYS[2], field) end

        -- Whoever is registered below the mark hears so with every heartbeat; who waits hears when somebody there moves
        -- on.
        local was = stands and stands < mark
        if oldest < token then
          call('ZADD', KEYS[5], 0, session .. '\n' .. ARGV[6])
        elseif was then
          call('ZREM', KEYS[5], session .. '\n' .. ARGV[6])
        end
        told = told or (was and (not place or stands < oldest))
        if told or risen then call('PUBLISH', ARGV[7], (told and '' or '+') .. token .. ' ' .. ARGV[6]) end
        if admitted then return {3} end
        return {1, token, wait, living}
        """);

    public static async ValueTask<EnterReply> RunAsync(
        RedisLink link, RedisKeys keys, EnterRequest request, CancellationToken cancellationToken)
    {
        var token = RedisKeys.Digits(request.Token.Value);
        var reply = await link.RunAsync(
            Script,
            [keys.Sessions, keys.Resource(request.Resource), keys.Index, keys.Sequence, keys.Revoked],
            [
                request.Session, token,
                request.Oldest == request.Token ? token : RedisKeys.Digits(request.Oldest.Value),
                RedisKeys.Digits(request.Sequence), (long)Math.Ceiling(request.InDoubtHold.TotalMilliseconds),
                request.Resource.Value, keys.ChannelIn(link.Database.Database),
            ],
            cancellationToken);
        var parts = (RedisResult[]?)reply ?? [];
        return (parts.Length == 0 ? 0 : (int)parts[0]) switch
        {
            -1 => throw TokenStoreUnavailableException.ForEndedSession(request.Session),
            1 => Read(EnterStatus.Draining, parts),
            2 => Read(EnterStatus.Stale, parts),
            3 => new EnterReply(EnterStatus.Admitted, request.Token),
            _ => throw new TokenStoreUnavailableException(
                $"Redis {link.Location} gave a step an answer that says nothing."),
        };
    }

    private static EnterReply Read(EnterStatus status, RedisResult[] reply)
    {
        var mark = RedisKeys.Number((string)reply[1]!);
        return new EnterReply(
            status, mark == 0 ? default : new FencingToken(mark), TimeSpan.FromMilliseconds((long)reply[2]),
            (int)reply[3] == 1);
    }
}

namespace FenceGateway.Gateway.FunctionalTests.Resilience.Matrix;

/// <summary>
/// The table. <c>sent</c>: how often the service has read the request's head. <c>then</c>: the answer to the same
/// request when the fault is over. <c>counted</c>: what the mechanism's own instruments say of both.
/// </summary>
internal static class FaultMatrix
{
    private const string Text = """
        fault                        | mechanisms                                  | answer                   | sent | in doubt | then                            | counted
        never answers                | none timeouts retry-post                    | 504 upstream-timeout     | 1    | yes      | 200                             |
        never answers                | retry-put                                   | 200                      | 2    | yes      | 200                             | retried: timed_out
        never answers                | retry-key                                   | 200                      | 2    | yes      | 200 replayed                    | key: first, retried: timed_out, key: replayed
        never answers                | circuit                                     | 504 upstream-timeout     | 1    | yes      | 503 circuit-open after 5        | failed, circuit: open, shed
        never answers                | bulkhead                                    | 504 upstream-timeout     | 1    | yes      | 200                             | another: full
        never answers                | idempotency                                 | 504 upstream-timeout     | 1    | yes      | 409 idempotency-outcome-unknown | key: first, key: unknown
        refuses connections          | none timeouts bulkhead                      | 502 upstream-unreachable | 0    | no       | 200                             |
        refuses connections          | retry-put retry-post                        | 200                      | 1    | no       | 200                             | retried: unreachable
        refuses connections          | retry-key                                   | 200                      | 1    | no       | 200 replayed                    | key: first, retried: unreachable, key: replayed
        refuses connections          | circuit                                     | 502 upstream-unreachable | 0    | no       | 503 circuit-open after 5        | failed, circuit: open, shed
        refuses connections          | idempotency                                 | 502 upstream-unreachable | 0    | no       | 200                             | key: first, key: first
        connecting takes forever     | none timeouts                               | 504 upstream-timeout     | 0    | no       | 200                             |
        connecting takes forever     | retry-put retry-post                        | 200                      | 1    | no       | 200                             | retried: timed_out
        connecting takes forever     | retry-key                                   | 200                      | 1    | no       | 200 replayed                    | key: first, retried: timed_out, key: replayed
        connecting takes forever     | circuit                                     | 504 upstream-timeout     | 0    | no       | 503 circuit-open after 5        | failed, circuit: open, shed
        connecting takes forever     | bulkhead                                    | 504 upstream-timeout     | 0    | no       | 200                             | another: full
        connecting takes forever     | idempotency                                 | 504 upstream-timeout     | 0    | no       | 200                             | key: first, key: first
        resets unread                | none timeouts retry-post bulkhead           | 502 upstream-unreachable | 0    | yes      | 200                             |
        resets unread                | retry-put                                   | 200                      | 1    | yes      | 200                             | retried: broken
        resets unread                | retry-key                                   | 200                      | 1    | yes      | 200 replayed                    | key: first, retried: broken, key: replayed
        resets unread                | circuit                                     | 502 upstream-unreachable | 0    | yes      | 503 circuit-open after 5        | failed, circuit: open, shed
        resets unread                | idempotency                                 | 502 upstream-unreachable | 0    | yes      | 409 idempotency-outcome-unknown | key: first, key: unknown
        resets after the head        | none timeouts retry-post bulkhead           | 502 upstream-unreachable | 1    | yes      | 200                             |
        resets after the head        | retry-put                                   | 200                      | 2    | yes      | 200                             | retried: broken
        resets after the head        | retry-key                                   | 200                      | 2    | yes      | 200 replayed                    | key: first, retried: broken, key: replayed
        resets after the head        | circuit                                     | 502 upstream-unreachable | 1    | yes      | 503 circuit-open after 5        | failed, circuit: open, shed
        resets after the head        | idempotency                                 | 502 upstream-unreachable | 1    | yes      | 409 idempotency-outcome-unknown | key: first, key: unknown
        resets after the request     | none timeouts retry-post bulkhead           | 502 upstream-unreachable | 1    | yes      | 200                             |
        resets after the request     | retry-put                                   | 200                      | 2    | yes      | 200                             | retried: broken
        resets after the request     | retry-key                                   | 200                      | 2    | yes      | 200 replayed                    | key: first, retried: broken, key: replayed
        resets after the request     | circuit                                     | 502 upstream-unreachable | 1    | yes      | 503 circuit-open after 5        | failed, circuit: open, shed
        resets after the request     | idempotency                                 | 502 upstream-unreachable | 1    | yes      | 409 idempotency-outcome-unknown | key: first, key: unknown
        closes after the request     | none timeouts retry-post bulkhead           | 502 upstream-unreachable | 1    | yes      | 200                             |
        closes after the request     | retry-put                                   | 200                      | 2    | yes      | 200                             | retried: broken
        closes after the request     | retry-key                                   | 200                      | 2    | yes      | 200 replayed                    | key: first, retried: broken, key: replayed
        closes after the request     | circuit                                     | 502 upstream-unreachable | 1    | yes      | 503 circuit-open after 5        | failed, circuit: open, shed
        closes after the request     | idempotency                                 | 502 upstream-unreachable | 1    | yes      | 409 idempotency-outcome-unknown | key: first, key: unknown
        half a head                  | none timeouts retry-post bulkhead           | 502 upstream-unreachable | 1    | yes      | 200                             |
        half a head                  | retry-put                                   | 200                      | 2    | yes      | 200                             | retried: broken
        half a head                  | retry-key                                   | 200                      | 2    | yes      | 200 replayed                    | key: first, retried: broken, key: replayed
        half a head                  | circuit                                     | 502 upstream-unreachable | 1    | yes      | 503 circuit-open after 5        | failed, circuit: open, shed
        half a head                  | idempotency                                 | 502 upstream-unreachable | 1    | yes      | 409 idempotency-outcome-unknown | key: first, key: unknown
        garbage                      | none timeouts retry-post bulkhead           | 502 upstream-unreachable | 1    | yes      | 200                             |
        garbage                      | retry-put                                   | 200                      | 2    | yes      | 200                             | retried: broken
        garbage                      | retry-key                                   | 200                      | 2    | yes      | 200 replayed                    | key: first, retried: broken, key: replayed
        garbage                      | circuit                                     | 502 upstream-unreachable | 1    | yes      | 503 circuit-open after 5        | failed, circuit: open, shed
        garbage                      | idempotency                                 | 502 upstream-unreachable | 1    | yes      | 409 idempotency-outcome-unknown | key: first, key: unknown
        resets in the answer         | none timeouts retry-put retry-post          | 200 cut off              | 1    | yes      | 200                             |
        resets in the answer         | retry-key                                   | 200                      | 2    | yes      | 200 replayed                    | key: first, retried: broken, key: replayed
        resets in the answer         | circuit                                     | 200 cut off              | 1    | yes      | 503 circuit-open after 5        | failed, circuit: open, shed
        resets in the answer         | bulkhead                                    | 200 cut off              | 1    | yes      | 200                             | another: full
        resets in the answer         | idempotency                                 | 502 upstream-unreachable | 1    | yes      | 409 idempotency-outcome-unknown | key: first, key: unknown
        half an answer               | none timeouts retry-put retry-post          | 200 cut off              | 1    | yes      | 200                             |
        half an answer               | retry-key                                   | 200                      | 2    | yes      | 200 replayed                    | key: first, retried: broken, key: replayed
        half an answer               | circuit                                     | 200 cut off              | 1    | yes      | 503 circuit-open after 5        | failed, circuit: open, shed
        half an answer               | bulkhead                                    | 200 cut off              | 1    | yes      | 200                             | another: full
        half an answer               | idempotency                                 | 502 upstream-unreachable | 1    | yes      | 409 idempotency-outcome-unknown | key: first, key: unknown
        chunks cut off               | none timeouts retry-put retry-post          | 200 cut off              | 1    | yes      | 200                             |
        chunks cut off               | retry-key                                   | 200                      | 2    | yes      | 200 replayed                    | key: first, retried: broken, key: replayed
        chunks cut off               | circuit                                     | 200 cut off              | 1    | yes      | 503 circuit-open after 5        | failed, circuit: open, shed
        chunks cut off               | bulkhead                                    | 200 cut off              | 1    | yes      | 200                             | another: full
        chunks cut off               | idempotency                                 | 502 upstream-unreachable | 1    | yes      | 409 idempotency-outcome-unknown | key: first, key: unknown
        chunks without an end        | none timeouts retry-put retry-post          | 200 cut off              | 1    | yes      | 200                             |
        chunks without an end        | retry-key                                   | 504 upstream-timeout     | 1    | yes      | 200                             | key: first, key: first
        chunks without an end        | circuit                                     | 200 cut off              | 1    | yes      | 503 circuit-open after 5        | failed, circuit: open, shed
        chunks without an end        | bulkhead                                    | 200 cut off              | 1    | yes      | 200                             | another: full
        chunks without an end        | idempotency                                 | 504 upstream-timeout     | 1    | yes      | 409 idempotency-outcome-unknown | key: first, key: unknown
        slow first byte              | none timeouts retry-put retry-post          | 200                      | 1    | no       | 200                             |
        slow first byte              | retry-key idempotency                       | 200                      | 1    | no       | 200 replayed                    | key: first, key: replayed
        slow first byte              | circuit                                     | 200                      | 1    | no       | 200                             | succeeded, succeeded
        slow first byte              | bulkhead                                    | 200                      | 1    | no       | 200                             | another: full
        slow body                    | none timeouts retry-put retry-post          | 200                      | 1    | no       | 200                             |
        slow body                    | retry-key idempotency                       | 200                      | 1    | no       | 200 replayed                    | key: first, key: replayed
        slow body                    | circuit                                     | 200                      | 1    | no       | 200                             | succeeded, succeeded
        slow body                    | bulkhead                                    | 200                      | 1    | no       | 200                             | another: full
        503 with Retry-After         | none timeouts retry-post bulkhead           | 503 after 1              | 1    | no       | 200                             |
        503 with Retry-After         | retry-put                                   | 200                      | 2    | no       | 200                             | retried: status
        503 with Retry-After         | retry-key                                   | 200                      | 2    | no       | 200 replayed                    | key: first, retried: status, key: replayed
        503 with Retry-After         | circuit                                     | 503 after 1              | 1    | no       | 503 circuit-open after 5        | failed, circuit: open, shed
        503 with Retry-After         | idempotency                                 | 503 after 1              | 1    | no       | 200                             | key: first, key: first
        503, later than retries wait | none timeouts retry-put retry-post bulkhead | 503 after 60             | 1    | no       | 200                             |
        503, later than retries wait | retry-key idempotency                       | 503 after 60             | 1    | no       | 200                             | key: first, key: first
        503, later than retries wait | circuit                                     | 503 after 60             | 1    | no       | 503 circuit-open after 5        | failed, circuit: open, shed
        died and came back           | none timeouts retry-put retry-post bulkhead | 200                      | 1    | no       | 200                             |
        died and came back           | retry-key idempotency                       | 200                      | 1    | no       | 200 replayed                    | key: first, key: replayed
        died and came back           | circuit                                     | 200                      | 1    | no       | 200                             | succeeded, succeeded
        """;

    private static readonly Dictionary<(string Fault, string Mechanism), Row> Rows = Parse();

    public static IEnumerable<(string Fault, string Mechanism)> Keys => Rows.Keys;

    public static Row Find(string fault, string mechanism) => Rows[(fault, mechanism)];

    private static Dictionary<(string Fault, string Mechanism), Row> Parse() =>
        Text.Split('\n').Skip(1)
            .Select(line => line.Split('|', StringSplitOptions.TrimEntries))
            .SelectMany(
                cells => cells[1].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(
                    mechanism => (Key: (cells[0], mechanism), cells)))
            .ToDictionary(
                r => r.Key,
                r => new Row(r.cells[2], int.Parse(r.cells[3]), r.cells[4] == "yes", r.cells[5], r.cells[6]));

    internal sealed record Row(string Answer, int Sent, bool InDoubt, string Then, string Counted);
}

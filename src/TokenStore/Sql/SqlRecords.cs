using System.Data.Common;

namespace FenceGateway.TokenStore.Sql;

/// <summary>
/// Reads resources with their writers: one row for each writer, or one without a writer; the rows of a resource follow
/// each other. Columns: key, mark, advanced_at (microseconds since 1970), sequence, session, token, ended_for
/// (microseconds; null while it lives).
/// </summary>
internal static class SqlRecords
{
    public static async Task<List<MarkRecord>> ReadAsync(DbDataReader reader, CancellationToken cancellationToken)
    {
        List<MarkRecord> records = [];
        List<WriterRecord> writers = [];
        while (await reader.ReadAsync(cancellationToken))
        {
            var sequence = reader.GetInt64(3);
            if (records.Count == 0 || records[^1].Sequence != sequence)
            {
                writers = [];
                records.Add(new MarkRecord(
                    SqlKey.Decode(await reader.GetFieldValueAsync<byte[]>(0, cancellationToken)), reader.GetInt64(1),
                    At(reader.GetInt64(2)), sequence, writers));
            }

            if (!await reader.IsDBNullAsync(4, cancellationToken))
            {
                TimeSpan? endedFor = await reader.IsDBNullAsync(6, cancellationToken)
                    ? null
                    : TimeSpan.FromMicroseconds(reader.GetInt64(6));
                writers.Add(new WriterRecord(reader.GetString(4), new FencingToken(reader.GetInt64(5)), endedFor));
            }
        }

        return records;
    }

    private static DateTimeOffset At(long microseconds) =>
        DateTimeOffset.UnixEpoch + TimeSpan.FromMicroseconds(microseconds);
}

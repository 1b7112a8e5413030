using System.Data.Common;
using FenceGateway.Gateway.Configuration;
using MySqlConnector;
using Npgsql;

namespace FenceGateway.Gateway.Stores;

/// <summary>
/// What must hold of the sections of SQL databases: their drivers take the connection string, and nothing in it is a
/// password's rest.
/// </summary>
internal static class SqlSectionRules
{
    public static void Check(PostgresStoreOptions postgres, bool isChosen, string path, List<ConfigProblem> problems)
    {
        var key = nameof(postgres.ConnectionString);
        StoreSectionRules.CheckText(
            postgres.ConnectionString, isChosen, $"{path}.{key}", "Host=127.0.0.1;Database=fence",
            text => PairsFault(text, new NpgsqlConnectionStringBuilder(), "Host", "Server"), problems);
        var given = Filled(new NpgsqlConnectionStringBuilder(), postgres.ConnectionString);
        SignInRules.Check(
            postgres, path, isChosen, problems, (key, given.Username is not null, given.Password is not null));
    }

    public static void Check(MySqlStoreOptions mySql, bool isChosen, string path, List<ConfigProblem> problems)
    {
        var key = nameof(mySql.ConnectionString);
        StoreSectionRules.CheckText(
            mySql.ConnectionString, isChosen, $"{path}.{key}", "Server=127.0.0.1;Database=fence",
            text => PairsFault(text, new MySqlConnectionStringBuilder(), "Server", "Host", "Data Source", "DataSource")
                ?? SeveralHosts(text),
            problems);
        var given = Filled(new MySqlConnectionStringBuilder(), mySql.ConnectionString);
        SignInRules.Check(mySql, path, isChosen, problems, (key, given.UserID.Length > 0, given.Password.Length > 0));
    }

    /// <summary>As the driver reads it; as it was where the driver does not.</summary>
    private static T Filled<T>(T driver, string text)
        where T : DbConnectionStringBuilder
    {
        _ = Takes(() => driver.ConnectionString = text);
        return driver;
    }

    private static string? SeveralHosts(string text) =>
        new MySqlConnectionStringBuilder(text).Server.Contains(',', StringComparison.Ordinal)
            ? "names several hosts, over which the driver would spread the connections; name the one that takes the "
                + "writes"
            : null;

    /// <summary>
    /// What is wrong with a connection string, without its words: what looks like a keyword may be the rest of a
    /// password.
    /// </summary>
    private static string? PairsFault(string text, DbConnectionStringBuilder driver, params string[] host)
    {
        try
        {
            var head = SecretText.BeforeSecret(text);
            var (before, place) = (Pairs(head), 0);
            List<KeyValuePair<string, object>> all = [.. before, .. Pairs(text[head.Length..].TrimStart(';'))];
            foreach (var (key, value) in all)
            {
                place++;
                var known = driver.Count;
                if (!Takes(() => driver[key] = value))
                {
                    return $"has an option that {driver.GetType().Namespace} does not know, or a value that it does "
                        + $"not take: the one at place {place}";
                }

                if (place > before.Count && driver.Count == known)
                {
                    return $"names the option at place {place} a second time, behind a password, where it may be the "
                        + "rest of one with a ';' in it: put quotes around the password, or give it as Password or "
                        + "PasswordFile";
                }
            }

            return all.Exists(pair => host.Contains(pair.Key, StringComparer.OrdinalIgnoreCase))
                ? null
                : $"names no {host[0]}";
        }
        catch (ArgumentException)
        {
            return "is no connection string: Key=value;Key=value, with quotes around a value that has a ';' in it";
        }
    }

    private static List<KeyValuePair<string, object>> Pairs(string text)
    {
        var pairs = new DbConnectionStringBuilder { ConnectionString = text };
        return [.. pairs.Keys.Cast<string>().Select(key => KeyValuePair.Create(key, pairs[key]))];
    }

    private static bool Takes(Action set)
    {
        try
        {
            set();
            return true;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The drivers throw whatever their parsers throw.
            return false;
        }
    }
}

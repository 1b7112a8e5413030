using System.Data.Common;
using MySql.Data.MySqlClient;
using Npgsql;

namespace FenceGateway.Gateway.Configuration;

/// <summary>What must hold of the section of the chosen provider, and of any other that says something.</summary>
internal static class StoreSectionRules
{
    private const int LeastNodes = 3;
    private const int MostNodes = 9;
    private const int MostServers = 16;

    public static void Check(StoreSections sections, TokenStoreProvider provider, string path, List<ConfigProblem> problems)
    {
        CheckText(sections.Redis.Configuration, provider == TokenStoreProvider.Redis, $"{path}.Redis.Configuration", "127.0.0.1:6379",
            RedisText.Fault, problems);
        CheckText(sections.Postgres.ConnectionString, provider == TokenStoreProvider.Postgres, $"{path}.Postgres.ConnectionString",
            "Host=127.0.0.1;Database=fence;Username=fence", text => PairsFault(text, new NpgsqlConnectionStringBuilder(), "Host", "Server"), problems);
        CheckText(sections.MySql.ConnectionString, provider == TokenStoreProvider.MySql, $"{path}.MySql.ConnectionString",
            "Server=127.0.0.1;Database=fence;User Id=fence",
            text => PairsFault(text, new MySqlConnectionStringBuilder(), "Server", "Host", "Data Source", "DataSource"), problems);
        CheckText(sections.ZooKeeper.ConnectionString, provider == TokenStoreProvider.ZooKeeper, $"{path}.ZooKeeper.ConnectionString",
            "127.0.0.1:2181", ServersFault, problems);
        CheckRoot(sections.ZooKeeper.Root, $"{path}.ZooKeeper.Root", problems);
        if (sections.ZooKeeper.Auth is { } auth && auth.IndexOf(':', StringComparison.Ordinal) is var colon && (colon <= 0 || colon == auth.Length - 1))
        {
            problems.Add(new($"{path}.ZooKeeper.Auth", "is not of the form user:password"));
        }

        if (!sections.ZooKeeper.Tls)
        {
            CheckNoTls(sections.ZooKeeper.CertificateAuthority, sections.ZooKeeper.ClientCertificate, $"{path}.ZooKeeper", "Tls", problems);
        }

        CheckNodes(sections.Quorum.Nodes, provider == TokenStoreProvider.Quorum, $"{path}.Quorum.Nodes", problems);
        CheckEtcd(sections.Etcd, provider == TokenStoreProvider.Etcd, $"{path}.Etcd", problems);
    }

    private static void CheckText(
        string text, bool isChosen, string path, string example, Func<string, string?> fault, List<ConfigProblem> problems)
    {
        if (text.Length == 0)
        {
            if (isChosen)
            {
                problems.Add(new(path, $"is required with this Provider, such as \"{example}\""));
            }
        }
        else if (fault(text) is { } wrong)
        {
            problems.Add(new(path, wrong));
        }
    }

    private static void CheckNodes(List<string> nodes, bool isChosen, string path, List<ConfigProblem> problems)
    {
        if ((isChosen || nodes.Count > 0) && nodes.Count is < LeastNodes or > MostNodes)
        {
            problems.Add(new(path, $"names {nodes.Count} masters; {LeastNodes} to {MostNodes} independent ones make a quorum"));
        }

        var seen = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);
        for (var i = 0; i < nodes.Count; i++)
        {
            if (nodes[i].Length == 0)
            {
                continue; // Reported by the reader of options.
            }

            if (RedisText.Fault(nodes[i]) is { } fault)
            {
                problems.Add(new($"{path}[{i}]", fault));
            }
            else if (RedisText.Servers(nodes[i]).FirstOrDefault(server => !seen.TryAdd(server, i) && seen[server] != i) is { } twice)
            {
                problems.Add(new($"{path}[{i}]", $"names {twice}, which node [{seen[twice]}] is already; each master counts once"));
            }
        }
    }

    private static void CheckEtcd(EtcdStoreOptions etcd, bool isChosen, string path, List<ConfigProblem> problems)
    {
        if (isChosen && etcd.Endpoints.Count is 0 or > MostServers)
        {
            problems.Add(new($"{path}.Endpoints", etcd.Endpoints.Count == 0
                ? "is required with this Provider, such as [ \"http://127.0.0.1:2379\" ]"
                : $"names {etcd.Endpoints.Count} members; at most {MostServers} are used"));
        }

        for (var i = 0; i < etcd.Endpoints.Count; i++)
        {
            if (etcd.Endpoints[i].Length > 0 && !IsHttp(etcd.Endpoints[i]))
            {
                problems.Add(new(
                    $"{path}.Endpoints[{i}]",
                    $"is '{SecretText.RedactUser(etcd.Endpoints[i])}' where http://host:2379 or https://host:2379 is expected, without user or path"));
            }
        }

        if (!etcd.Endpoints.Any(static e => e.StartsWith("https://", StringComparison.OrdinalIgnoreCase)))
        {
            CheckNoTls(etcd.CertificateAuthority, etcd.ClientCertificate, path, "an https:// address among the Endpoints", problems);
        }

        if (etcd is { UserName: null, Password: not null })
        {
            problems.Add(new($"{path}.UserName", "is required with a Password"));
        }
        else if (etcd is { UserName: not null, Password: null })
        {
            problems.Add(new($"{path}.Password", "is required with a UserName"));
        }
    }

    /// <summary>What can do nothing is a mistake: somebody believes that the connection is encrypted.</summary>
    private static void CheckNoTls(string? authority, string? certificate, string path, string without, List<ConfigProblem> problems)
    {
        (string Name, string? File)[] files = [("CertificateAuthority", authority), ("ClientCertificate", certificate)];
        problems.AddRange(files.Where(f => f.File is not null).Select(f => new ConfigProblem($"{path}.{f.Name}", $"does nothing without {without}")));
    }

    private static bool IsHttp(string text) => Uri.TryCreate(text, UriKind.Absolute, out var uri)
        && uri is { Scheme: "http" or "https", Host.Length: > 0, UserInfo: "", PathAndQuery: "/", Fragment: "" };

    /// <summary>An absolute node, whose parts ZooKeeper takes.</summary>
    private static void CheckRoot(string root, string path, List<ConfigProblem> problems)
    {
        if (root.Length < 2 || root[0] != '/')
        {
            problems.Add(new(path, $"is '{root}' where an absolute node below the top is expected, such as /fencegateway"));
        }
        else if (root[1..].Split('/').Any(part => part.Length == 0) || !root.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '/'))
        {
            problems.Add(new(path, $"is '{root}', which has an empty part or something else than letters, digits, '_' and '-' in it"));
        }
        else if (root == "/zookeeper" || root.StartsWith("/zookeeper/", StringComparison.Ordinal))
        {
            problems.Add(new(path, $"is '{root}', which is ZooKeeper's own"));
        }
    }

    private static string? ServersFault(string text)
    {
        var wrong = text.Split(',', StringSplitOptions.TrimEntries).FirstOrDefault(server => !RedisText.IsServer(server));
        return wrong is null ? null
            : wrong.Contains('/', StringComparison.Ordinal) ? $"has '{wrong}' in it; the node to work below is Root's"
            : $"has '{wrong}' in it where host:port is expected";
    }

    /// <summary>What is wrong with a connection string, without its words: what looks like a keyword may be the rest of a password.</summary>
    private static string? PairsFault(string text, DbConnectionStringBuilder driver, params string[] host)
    {
        try
        {
            var pairs = new DbConnectionStringBuilder { ConnectionString = text };
            var keys = pairs.Keys.Cast<string>().ToList();
            var wrong = keys.FindIndex(key => !Takes(driver, key, pairs[key]));
            return wrong >= 0 ? $"has an option that the driver does not know, or a value that it does not take: the one at place {wrong + 1}"
                : host.Any(pairs.ContainsKey) ? null
                : $"names no {host[0]}";
        }
        catch (ArgumentException)
        {
            return "is no connection string: Key=value;Key=value, with quotes around a value that has a ';' in it";
        }
    }

    private static bool Takes(DbConnectionStringBuilder driver, string key, object value)
    {
        try
        {
            driver[key] = value;
            return true;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The drivers throw whatever their parsers throw.
            return false;
        }
    }
}

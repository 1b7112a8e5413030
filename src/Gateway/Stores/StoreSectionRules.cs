using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Listeners;

namespace FenceGateway.Gateway.Stores;

/// <summary>What must hold of the section of the chosen provider, and of any other that says something.</summary>
internal static class StoreSectionRules
{
    private const int LeastNodes = 3;
    private const int MostNodes = 9;
    private const int MostServers = 16;

    public static void Check(
        StoreSections sections, TokenStoreProvider provider, string path, List<ConfigProblem> problems)
    {
        CheckRedis(sections.Redis, provider == TokenStoreProvider.Redis, $"{path}.{nameof(sections.Redis)}", problems);
        CheckQuorum(
            sections.Quorum, provider == TokenStoreProvider.Quorum, $"{path}.{nameof(sections.Quorum)}", problems);
        SqlSectionRules.Check(
            sections.Postgres, provider == TokenStoreProvider.Postgres, $"{path}.{nameof(sections.Postgres)}",
            problems);
        SqlSectionRules.Check(
            sections.MySql, provider == TokenStoreProvider.MySql, $"{path}.{nameof(sections.MySql)}", problems);
        CheckZooKeeper(
            sections.ZooKeeper, provider == TokenStoreProvider.ZooKeeper, $"{path}.{nameof(sections.ZooKeeper)}",
            problems);
        CheckEtcd(sections.Etcd, provider == TokenStoreProvider.Etcd, $"{path}.{nameof(sections.Etcd)}", problems);
    }

    private static void CheckRedis(RedisStoreOptions redis, bool isChosen, string path, List<ConfigProblem> problems)
    {
        CheckText(
            redis.Configuration, isChosen, $"{path}.{nameof(redis.Configuration)}", "127.0.0.1:6379", RedisText.Fault,
            problems);
        var (hasUser, hasPassword) = RedisText.SignIn(redis.Configuration);
        SignInRules.Check(redis, path, isChosen, problems, (nameof(redis.Configuration), hasUser, hasPassword));
        if (redis.Sentinels is { } sentinels)
        {
            (hasUser, hasPassword) = RedisText.SentinelSignIn(redis.Configuration);
            SignInRules.Check(
                sentinels, $"{path}.{nameof(redis.Sentinels)}", isChosen, problems,
                (nameof(redis.Configuration), hasUser, hasPassword));
        }

        if (isChosen)
        {
            var plain = RedisText.IsEncrypted(redis.Configuration) ? null : RedisIsPlain(nameof(redis.Configuration));
            CertificateRules.Check(redis.CertificateAuthority, redis.ClientCertificate, plain, path, problems);
        }
    }

    private static void CheckQuorum(QuorumStoreOptions quorum, bool isChosen, string path, List<ConfigProblem> problems)
    {
        CheckNodes(quorum.Nodes, isChosen, $"{path}.{nameof(quorum.Nodes)}", problems);
        var signIns = quorum.Nodes.ConvertAll(RedisText.SignIn);
        SignInRules.Check(
            quorum, path, isChosen, problems,
            (nameof(quorum.Nodes), signIns.Exists(s => s.HasUser), signIns.Exists(s => s.HasPassword)));
        if (isChosen)
        {
            var plain = quorum.Nodes.FindIndex(node => !RedisText.IsEncrypted(node));
            CertificateRules.Check(
                quorum.CertificateAuthority, quorum.ClientCertificate,
                plain < 0 ? null : RedisIsPlain($"{nameof(quorum.Nodes)}[{plain}]"), path,
                problems);
        }
    }

    private static string RedisIsPlain(string where) => $"is used with ssl=true only, which {where} does not have";

    private static void CheckZooKeeper(
        ZooKeeperStoreOptions zooKeeper, bool isChosen, string path, List<ConfigProblem> problems)
    {
        CheckText(
            zooKeeper.ConnectionString, isChosen, $"{path}.{nameof(zooKeeper.ConnectionString)}", "127.0.0.1:2181",
            ServersFault, problems);
        CheckRoot(zooKeeper.Root, $"{path}.{nameof(zooKeeper.Root)}", problems);
        SignInRules.CheckPair(zooKeeper, path, isChosen, problems);
        if (zooKeeper.User?.Contains(':', StringComparison.Ordinal) is true)
        {
            problems.Add(
                new($"{path}.{nameof(zooKeeper.User)}", "has a ':' in it, which stands between user and password"));
        }

        if (isChosen)
        {
            CertificateRules.Check(
                zooKeeper.CertificateAuthority, zooKeeper.ClientCertificate,
                zooKeeper.Tls ? null : "is used with Tls only; set it to true", path,
                problems);
        }
    }

    public static void CheckText(
        string text, bool isChosen, string path, string example, Func<string, string?> fault,
        List<ConfigProblem> problems)
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
            problems.Add(
                new(path, $"names {nodes.Count} masters; {LeastNodes} to {MostNodes} independent ones make a quorum"));
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
            else if (RedisText.Service(nodes[i]) is not null)
            {
                problems.Add(
                    new($"{path}[{i}]", "names a serviceName; a node is one master, and no other takes its place"));
            }
            else if (RedisText.Servers(nodes[i]).Count() is > 1 and var count)
            {
                problems.Add(
                    new($"{path}[{i}]", $"names {count} servers; a node is one master, and each has an entry of its "
                        + "own"));
            }
            else if (RedisText.Servers(nodes[i])
                .FirstOrDefault(server => !seen.TryAdd(server, i) && seen[server] != i) is { } twice)
            {
                problems.Add(
                    new($"{path}[{i}]", $"names {twice}, which node [{seen[twice]}] is already; each master counts "
                        + "once"));
            }
        }
    }

    private static void CheckEtcd(EtcdStoreOptions etcd, bool isChosen, string path, List<ConfigProblem> problems)
    {
        if (isChosen && etcd.Endpoints.Count is 0 or > MostServers)
        {
            problems.Add(new($"{path}.{nameof(etcd.Endpoints)}", etcd.Endpoints.Count == 0
                ? "is required with this Provider, such as [ \"http://127.0.0.1:2379\" ]"
                : $"names {etcd.Endpoints.Count} members; at most {MostServers} are used"));
        }

        for (var i = 0; i < etcd.Endpoints.Count; i++)
        {
            if (etcd.Endpoints[i].Length > 0 && !IsHttp(etcd.Endpoints[i]))
            {
                problems.Add(new(
                    $"{path}.{nameof(etcd.Endpoints)}[{i}]",
                    $"is '{SecretText.Shown(etcd.Endpoints[i])}' where http://host:2379 or https://host:2379 is "
                        + "expected, without user or path"));
            }
        }

        if (isChosen)
        {
            var isEncrypted = etcd.Endpoints.Exists(
                static endpoint => endpoint.StartsWith("https://", StringComparison.OrdinalIgnoreCase));
            CertificateRules.Check(
                etcd.CertificateAuthority, etcd.ClientCertificate,
                isEncrypted ? null : $"is used with https:// only, which none of {nameof(etcd.Endpoints)} has", path,
                problems);
        }

        SignInRules.CheckPair(etcd, path, isChosen, problems);
    }

    private static bool IsHttp(string text) => !text.Contains('@', StringComparison.Ordinal)
        && Uri.TryCreate(text, UriKind.Absolute, out var uri)
        && uri is { Scheme: "http" or "https", Host.Length: > 0, UserInfo: "", PathAndQuery: "/", Fragment: "" };

    /// <summary>An absolute node, whose parts ZooKeeper takes.</summary>
    private static void CheckRoot(string root, string path, List<ConfigProblem> problems)
    {
        if (root.Length < 2 || root[0] != '/')
        {
            problems.Add(
                new(path, $"is '{SecretText.Shown(root)}' where an absolute node below the top is expected, such as "
                    + "/fencegateway"));
        }
        else if (root[1..].Split('/').Any(part => part.Length == 0)
            || !root.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '/'))
        {
            problems.Add(
                new(path, $"is '{SecretText.Shown(root)}', which has an empty part or something else than letters, "
                    + "digits, '_' and '-' in it"));
        }
        else if (root == "/zookeeper" || root.StartsWith("/zookeeper/", StringComparison.Ordinal))
        {
            problems.Add(new(path, $"is '{SecretText.Shown(root)}', which is ZooKeeper's own"));
        }
    }

    private static string? ServersFault(string text)
    {
        if (text.Contains('@', StringComparison.Ordinal))
        {
            // What stands before it is a user's, commas and all.
            return "has a user in it where host:port is expected; give it as User, with Password or PasswordFile";
        }

        var wrong = text.Split(',', StringSplitOptions.TrimEntries).FirstOrDefault(
            server => !RedisText.IsServer(server));
        return wrong is null ? null
            : wrong.Contains('/', StringComparison.Ordinal) ? $"has '{SecretText.Shown(wrong)}' in it; the node to "
                + "work below is Root's"
            : $"has '{SecretText.Shown(wrong)}' in it where host:port is expected";
    }
}

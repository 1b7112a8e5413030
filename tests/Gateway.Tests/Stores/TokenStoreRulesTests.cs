using System.Text;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Settings;
using FenceGateway.Gateway.Tests.Configuration;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.EnvironmentVariables;

namespace FenceGateway.Gateway.Tests.Stores;

public sealed class TokenStoreRulesTests
{
    private const string StorePath = "$.FenceGateway.TokenStore";

    public static TheoryData<string> SharedStores =>
    [
        "\"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"127.0.0.1:6379\" }",
        "\"Provider\": \"Redis\", \"Redis\": { \"Configuration\": "
            + "\"a,b:7000,[::1]:7001,password=x=y,ssl=True,DefaultDatabase=3\" }",
        "\"Provider\": \"Quorum\", \"Quorum\": { \"Nodes\": [ \"127.0.0.1:7001\", \"127.0.0.1:7002\", "
            + "\"127.0.0.1:7003,password=x\" ] }",
        "\"Provider\": \"Postgres\", \"Postgres\": { \"ConnectionString\": "
            + "\"Host=127.0.0.1;Database=fence;Username=fence\" }",
        "\"Provider\": \"MySql\", \"MySql\": { \"ConnectionString\": \"Server=127.0.0.1;Database=fence;User "
            + "Id=fence;Password='a;b'\" }",
        "\"Provider\": \"ZooKeeper\", \"ZooKeeper\": { \"ConnectionString\": \"127.0.0.1:2181,zk2:2181\", \"Root\": "
            + "\"/fence/gateway\" }",
        "\"Provider\": \"Etcd\", \"Etcd\": { \"Endpoints\": [ \"http://127.0.0.1:2379\", \"https://e2:2379/\" ], "
            + "\"User\": \"u\", \"Password\": \"p\" }",
        "\"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"a\", \"User\": \"u\", \"Password\": \"p,a;s=s "
            + "'word\", \"Sentinels\": { \"Password\": \"x,y\" } }",
        "\"Provider\": \"Quorum\", \"Quorum\": { \"Nodes\": [ \"a:1\", \"b:1\", \"c:1\" ], \"Password\": \"p,q\" }",
        "\"Provider\": \"Postgres\", \"Postgres\": { \"ConnectionString\": \"Host=a;Password=x;Database=fence\" }",
        "\"Provider\": \"MySql\", \"MySql\": { \"ConnectionString\": \"Server=a;Database=fence\", \"User\": \"u\", "
            + "\"Password\": \"p;q\" }",
        "\"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"a\" }, \"SessionTtl\": \"00:00:00.500\", "
            + "\"RequireGrade\": null, \"Replicate\": null",
        "\"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"a\" }, \"RequireGrade\": \"Strict\", "
            + "\"KeyPrefix\": \"a-b_9\", \"Replicate\": { \"Regions\": { \"eu\": { \"Provider\": \"Redis\", \"Redis\": "
            + "{ \"Configuration\": \"b\" } } } }",
        "\"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"a\" }, "
            + "\"Replicate\": { \"Regions\": { \"eu\": { \"Provider\": \"Redis\", \"KeyPrefix\": \"other\", \"Redis\": "
            + "{ \"Configuration\": \"a\" } } } }",
        "\"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"a\" }, \"Postgres\": null",
        "\"Provider\": \"ZooKeeper\", \"KeyPrefix\": \"x\", \"ZooKeeper\": { \"ConnectionString\": \"a\" }, "
            + "\"Replicate\": { \"Regions\": { \"eu\": { \"Provider\": \"ZooKeeper\", \"KeyPrefix\": \"y\", "
            + "\"ZooKeeper\": { \"ConnectionString\": \"a\" } } } }",
    ];

    [Theory]
    [MemberData(nameof(SharedStores))]
    public async Task Store_AsDocumented_IsGood(string members) => (await ProblemsAsync(members)).ShouldBeEmpty();

    [Theory]
    [InlineData("\"Provider\": \"Redis\"", ".Redis.Configuration", "is required with this Provider, such as "
        + "\"127.0.0.1:6379\"")]
    [InlineData("\"Provider\": \"Quorum\"", ".Quorum.Nodes", "names 0 masters; 3 to 9")]
    [InlineData("\"Provider\": \"Postgres\"", ".Postgres.ConnectionString", "is required with this Provider")]
    [InlineData("\"Provider\": \"MySql\"", ".MySql.ConnectionString", "is required with this Provider")]
    [InlineData("\"Provider\": \"ZooKeeper\"", ".ZooKeeper.ConnectionString", "is required with this Provider")]
    [InlineData("\"Provider\": \"Etcd\"", ".Etcd.Endpoints", "is required with this Provider")]
    [InlineData("\"Provider\": \"Postgre\"", ".Provider", "did you mean 'Postgres'?")]
    [InlineData("\"Provider\": null, \"Embeded\": {}", ".Embeded", "did you mean 'Embedded'?")]
    [InlineData("\"SessionTtl\": \"00:00:00.499\"", ".SessionTtl", "out of range: 00:00:00.500 to 00:01:00")]
    [InlineData("\"RegistrationIdle\": \"00:00:00\"", ".RegistrationIdle", "out of range: 00:00:01 to 00:10:00")]
    [InlineData("\"RequireGrade\": \"strictly\"", ".RequireGrade", "did you mean 'Strict'?")]
    [InlineData("\"RequireGrade\": \"Volatile\"", ".RequireGrade", "one of BestEffort, Single, Strict")]
    [InlineData("\"Provider\": \"Memory\", \"RequireGrade\": \"BestEffort\"", ".RequireGrade", "forgets everything")]
    [InlineData("\"KeyPrefix\": \"Orders\"", ".KeyPrefix", "is 'Orders' where 1 to 32 of a-z, 0-9, _ and - are "
        + "expected")]
    [InlineData("\"KeyPrefix\": \"\"", ".KeyPrefix", "is required")]
    [InlineData("\"KeyPrefix\": \"a\\n\"", ".KeyPrefix", "where 1 to 32")]
    [InlineData("\"Redis\": { \"Configuration\": \"password=x\" }", ".Redis.Configuration", "names no server")]
    [InlineData("\"Redis\": { \"Configuration\": \"a,pasword=x\" }", ".Redis.Configuration", "part 2 (parts")]
    [InlineData("\"Redis\": { \"Configuration\": \"a,pasword=x\" }", ".Redis.Configuration", "did you mean 'password'?")]
    [InlineData("\"Redis\": { \"Configuration\": \"a,ssl=yes\" }", ".Redis.Configuration", "a ssl that is neither true "
        + "nor false")]
    [InlineData("\"Redis\": { \"Configuration\": \"a,syncTimeout=5s\" }", ".Redis.Configuration", "a syncTimeout that "
        + "is no whole number")]
    [InlineData("\"Redis\": { \"Configuration\": \"redis://a:1\" }", ".Redis.Configuration", "has no host:port, in its "
        + "part 1")]
    [InlineData("\"Quorum\": { \"Nodes\": [ \"a:1\", \"b:1\" ] }", ".Quorum.Nodes", "names 2 masters")]
    [InlineData("\"Quorum\": { \"Nodes\": [ \"a:1\", \"b:1\", \"A:1\" ] }", ".Quorum.Nodes[2]", "names a:1, which node "
        + "[0] is already")]
    [InlineData("\"Quorum\": { \"Nodes\": [ \"a\", \"b:1\", \"a:6379\" ] }", ".Quorum.Nodes[2]", "names a:6379, which "
        + "node [0] is already")]
    [InlineData("\"Quorum\": { \"Nodes\": [ \"a:1\", \"b:1\", \"c:1,ssl=1\" ] }", ".Quorum.Nodes[2]", "a ssl that is")]
    [InlineData("\"Postgres\": { \"ConnectionString\": \"Database=fence\" }", ".Postgres.ConnectionString", "names no Host")]
    [InlineData("\"Postgres\": { \"ConnectionString\": \"127.0.0.1\" }", ".Postgres.ConnectionString", "is no connection string")]
    [InlineData("\"Postgres\": { \"ConnectionString\": \"Host=a;Databse=fence\" "
        + "}", ".Postgres.ConnectionString", "at place 2")]
    [InlineData("\"Postgres\": { \"ConnectionString\": \"Host=a;Port=x\" }", ".Postgres.ConnectionString", "at place 2")]
    [InlineData("\"MySql\": { \"ConnectionString\": \"Server=a;Databse=fence\" "
        + "}", ".MySql.ConnectionString", "at place 2")]
    [InlineData("\"MySql\": { \"ConnectionString\": \"Server=a;Logging=true\" }", ".MySql.ConnectionString", "MySqlConnector does not know")]
    [InlineData("\"MySql\": { \"ConnectionString\": \"Server=a,b;Database=fence\" "
        + "}", ".MySql.ConnectionString", "names several hosts")]
    [InlineData("\"MySql\": { \"ConnectionString\": \"Database=fence\" }", ".MySql.ConnectionString", "names no Server")]
    [InlineData("\"ZooKeeper\": { \"Root\": \"fencegateway\" }", ".ZooKeeper.Root", "is 'fencegateway' where an "
        + "absolute node")]
    [InlineData("\"ZooKeeper\": { \"Root\": \"/\" }", ".ZooKeeper.Root", "below the top")]
    [InlineData("\"ZooKeeper\": { \"Root\": \"/a//b\" }", ".ZooKeeper.Root", "an empty part")]
    [InlineData("\"ZooKeeper\": { \"Root\": \"/a/../b\" }", ".ZooKeeper.Root", "something else than letters")]
    [InlineData("\"ZooKeeper\": { \"Root\": \"/zookeeper/x\" }", ".ZooKeeper.Root", "ZooKeeper's own")]
    [InlineData("\"Provider\": \"ZooKeeper\", \"ZooKeeper\": { \"ConnectionString\": \"a\", \"CertificateAuthority\": "
        + "\"x\" }", ".ZooKeeper.CertificateAuthority", "is used with Tls only")]
    [InlineData("\"Provider\": \"ZooKeeper\", \"ZooKeeper\": { \"ConnectionString\": \"a\", \"Tls\": true, "
        + "\"CertificateAuthority\": \"/no\" }",
        ".ZooKeeper.CertificateAuthority", "is no file")]
    [InlineData("\"Provider\": \"ZooKeeper\", \"ZooKeeper\": { \"ConnectionString\": \"a\", \"ClientCertificate\": "
        + "\"x\" }", ".ZooKeeper.ClientCertificate", "is used with Tls only")]
    [InlineData("\"Provider\": \"ZooKeeper\", \"ZooKeeper\": { \"ConnectionString\": \"a\", \"Tls\": true, "
        + "\"ClientCertificate\": \"/no\" }",
        ".ZooKeeper.ClientCertificate", "is no file")]
    [InlineData("\"ZooKeeper\": { \"User\": \"x\" }", ".ZooKeeper.Password", "is required with a User, or a "
        + "PasswordFile")]
    [InlineData("\"ZooKeeper\": { \"User\": \"x:y\", \"Password\": \"z\" }", ".ZooKeeper.User", "has a ':' in it")]
    [InlineData("\"ZooKeeper\": { \"ConnectionString\": \"a:2181/root\" }", ".ZooKeeper.ConnectionString", "Root's")]
    [InlineData("\"ZooKeeper\": { \"ConnectionString\": \"a:2181,\" }", ".ZooKeeper.ConnectionString", "host:port is "
        + "expected")]
    [InlineData("\"Etcd\": { \"Endpoints\": [ \"127.0.0.1:2379\" ] }", ".Etcd.Endpoints[0]", "http://host:2379 or "
        + "https://host:2379")]
    [InlineData("\"Etcd\": { \"Endpoints\": [ \"http://a:1\", \"ftp://b\" ] }", ".Etcd.Endpoints[1]", "is 'ftp://b'")]
    [InlineData("\"Provider\": \"Etcd\", \"Etcd\": { \"ClientCertificate\": \"x\", \"Endpoints\": [ \"http://a:1\" ] "
        + "}", ".Etcd.ClientCertificate", "is used with https:// only")]
    [InlineData("\"Provider\": \"Etcd\", \"Etcd\": { \"ClientCertificate\": \"/no\", \"Endpoints\": [ \"http://a:1\", "
        + "\"https://b:1\" ] }", ".Etcd.ClientCertificate", "is no file")]
    [InlineData("\"Provider\": \"Etcd\", \"Etcd\": { \"CertificateAuthority\": \"x\", \"Endpoints\": [ \"http://a:1\" "
        + "] }", ".Etcd.CertificateAuthority", "is used with https:// only")]
    [InlineData("\"Provider\": \"Etcd\", \"Etcd\": { \"CertificateAuthority\": \"/no\", \"Endpoints\": [ "
        + "\"http://a:1\", \"https://b:1\" ] }", ".Etcd.CertificateAuthority", "is no file")]
    [InlineData("\"Etcd\": { \"Password\": \"x\" }", ".Etcd.User", "is required with a password")]
    [InlineData("\"Etcd\": { \"User\": \"x\" }", ".Etcd.Password", "is required with a User, or a PasswordFile")]
    [InlineData("\"Redis\": { \"Configuration\": \"a,protocol=2\" }", ".Redis.Configuration", "a protocol, which is "
        + "not chosen")]
    [InlineData("\"Redis\": { \"Configuration\": \"a,asyncTimeout=1\" }", ".Redis.Configuration", "an asyncTimeout, "
        + "which nothing waits for")]
    [InlineData("\"Quorum\": { \"Nodes\": [ \"a:1\", \"b:1,serviceName=x\", \"c:1\" ] "
        + "}", ".Quorum.Nodes[1]", "names a serviceName; a node is one master")]
    [InlineData("\"Redis\": { \"Configuration\": \"a,channelprefix=x\" }", ".Redis.Configuration", "set KeyPrefix "
        + "instead")]
    [InlineData("\"Redis\": { \"Configuration\": \"a,sslProtocols=tls9\" }", ".Redis.Configuration", "a sslProtocols "
        + "that is none")]
    [InlineData("\"Quorum\": { \"Nodes\": [ \"a:1\", \"b:1,d:1\", \"c:1\" ] }", ".Quorum.Nodes[1]", "names 2 servers; "
        + "a node is one master")]
    [InlineData("\"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"a\", \"CertificateAuthority\": "
        + "\"/no/ca.pem\" }",
        ".Redis.CertificateAuthority", "is used with ssl=true only, which Configuration does not have")]
    [InlineData("\"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"a,ssl=true\", \"CertificateAuthority\": "
        + "\"/no/ca.pem\" }",
        ".Redis.CertificateAuthority", "is '/no/ca.pem', which is no file")]
    [InlineData("\"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"a,ssl=true\", \"CertificateAuthority\": "
        + "\"/dev/null\" }",
        ".Redis.CertificateAuthority", "there is no certificate in PEM form")]
    [InlineData("\"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"a,ssl = true\", \"ClientCertificate\": "
        + "\"/dev/null\" }",
        ".Redis.ClientCertificate", "cannot be used")]
    [InlineData("\"Provider\": \"Quorum\", \"Quorum\": { \"Nodes\": [ \"a:1,ssl=true\", \"b:1,ssl=false\", \"c:1\" ], "
        + "\"ClientCertificate\": \"x\" }",
        ".Quorum.ClientCertificate", "which Nodes[1] does not have")]
    [InlineData("\"Embedded\": { \"Path\": \"a\\u0000b\" }", ".Embedded.Path", "a null character")]
    public async Task Store_Wrong_NamesPathAndRemedy(string members, string path, string message)
    {
        var problem = (await ProblemsAsync(members))
            .Where(p => !p.Message.StartsWith("would not be used", StringComparison.Ordinal)).ShouldHaveSingleItem();
        problem.Path.ShouldBe(StorePath + path);
        problem.Message.ShouldContain(message);
    }

    /// <summary>
    /// Whoever forgets Provider would get a store of this gateway alone: two such gateways let an old holder write at
    /// the other one.
    /// </summary>
    [Theory]
    [InlineData("\"Redis\": { \"Configuration\": \"a\" }", ".Redis", "no Provider is given, which means Embedded; set "
        + "\"Provider\": \"Redis\"")]
    [InlineData("\"Provider\": null, \"etcd\": { \"Endpoints\": [ \"http://a:1\" ] }", ".etcd", "set \"Provider\": "
        + "\"Etcd\"")]
    [InlineData("\"Provider\": \"Embedded\", \"Redis\": { \"Configuration\": \"a\" }", ".Redis", "the Provider is "
        + "Embedded")]
    [InlineData("\"Provider\": \"Memory\", \"Quorum\": {}", ".Quorum", "the Provider is Memory")]
    [InlineData("\"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"a\" }, \"MySql\": { \"ConnectionString\": "
        + "\"Server=a\" }",
        ".MySql", "the Provider is Redis; set \"Provider\": \"MySql\", or remove this section")]
    [InlineData("\"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"a\" }, \"Embedded\": { \"Path\": \"x\" "
        + "}", ".Embedded", "the Provider is Redis")]
    [InlineData("\"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"a\" }, \"Replicate\": { \"Regions\": { "
        + "\"eu\": { \"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"b\" }, \"Etcd\": {} } } }",
        ".Replicate.Regions.eu.Etcd", "the Provider is Redis")]
    public async Task Store_SectionOfAnotherProvider_IsRefused(string members, string path, string message) =>
        await ShouldBeOnlyProblemAsync(members, path, message);

    /// <summary>As the container image has it.</summary>
    [Fact]
    public async Task Store_FolderOfTheEmbeddedOneInTheEnvironment_IsGood()
    {
        using var folder = new ConfigurationFolder();
        folder.Write(
            Json.Gateway("\"TokenStore\": { \"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"a\" } }"));

        using var configuration = await LastGoodConfiguration.LoadAsync(
            folder.File,
            new ConfigurationLayers([], [new ImageEnvironment()]),
            TimeProvider.System,
            TestContext.Current.CancellationToken);

        configuration.Current.Options.TokenStore.Embedded.Path.ShouldBe("/var/lib/fencegateway");
    }

    [Theory]
    [InlineData("{}", ".Regions", "names no region")]
    [InlineData("{ \"Regions\": { \"eu\": {} } }", ".Regions.eu.Provider", "is required")]
    [InlineData("{ \"Regions\": { \"eu\": { \"Provider\": \"Embedded\" } } }", ".Regions.eu.Provider", "no other gateway can read")]
    [InlineData("{ \"Regions\": { \"eu\": { \"Provider\": \"Etcd\" } } }", ".Regions.eu.Etcd.Endpoints", "is required")]
    [InlineData("{ \"Regions\": { \"eu\": { \"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"B:6379,A\" } } "
        + "} }",
        ".Regions.eu", "is the same store as this gateway's own")]
    [InlineData("{ \"Regions\": { \"eu\": { \"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"c\" } }, "
        + "\"us\": { \"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"c:6379,password=x\" } } } }",
        ".Regions.us", "is the same store as that of the region 'eu'")]
    [InlineData("{ \"Regions\": { \"eu\": { \"Provider\": \"Redis\", \"KeyPrefix\": \"É\", \"Redis\": { "
        + "\"Configuration\": \"c\" } } } }",
        ".Regions.eu.KeyPrefix", "1 to 32")]
    [InlineData("{ \"Regions\": { \"eu\": { \"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"c,ssl=true\", "
        + "\"ClientCertificate\": \"/no\" } } } }",
        ".Regions.eu.Redis.ClientCertificate", "is no file")]
    [InlineData("{ \"Interval\": \"00:00:00\", \"Regions\": { \"eu\": { \"Provider\": \"Redis\", \"Redis\": { "
        + "\"Configuration\": \"c\" } } } }",
        ".Interval", "out of range")]
    public async Task Replicate_Wrong_NamesPathAndRemedy(string replicate, string path, string message)
    {
        var own = $"\"Provider\": \"Redis\", \"Redis\": {{ \"Configuration\": \"a,b\" }}, \"Replicate\": {replicate}";
        var problem = (await ProblemsAsync(own)).ShouldHaveSingleItem();
        problem.Path.ShouldBe(StorePath + ".Replicate" + path);
        problem.Message.ShouldContain(message);
    }

    [Fact]
    public async Task Replicate_OwnStoreNotShared_IsRefused() => (await ProblemsAsync(
            "\"Replicate\": { \"Regions\": { \"eu\": { \"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"c\" "
                + "} } } }"))
        .ShouldHaveSingleItem().Message.ShouldContain("the Provider here is Embedded");

    [Theory]
    [InlineData("\"Redis\": \"a,password=s3cret\"")]
    [InlineData("\"Redis\": { \"Configuration\": \"a,password=x,s3cret=1\" }")]
    [InlineData("\"Redis\": { \"Configuration\": \"a,password=x,s3 cret\" }")]
    [InlineData("\"Quorum\": { \"Nodes\": \"a,password=s3cret\" }")]
    [InlineData("\"Quorum\": { \"Nodes\": [ \"a,b c,password=s3cret\" ] }")]
    [InlineData("\"Postgres\": \"Host=a;Password=s3cret\"")]
    [InlineData("\"Postgres\": { \"ConnectionString\": \"Password=s3cret\" }")]
    [InlineData("\"MySql\": { \"ConnectionString\": \"s3cret;\" }")]
    [InlineData("\"MySql\": { \"ConnectionString\": \"Server=a;Password=a;s3cret=1\" }")]
    [InlineData("\"Postgres\": { \"ConnectionString\": \"Host=a;Password=a;s3cret=1\" }")]
    [InlineData("\"Etcd\": { \"Endpoints\": [ \"http://u:s3cret@a:1\" ] }")]
    [InlineData("\"Etcd\": { \"Endpoints\": [ \"root:s3cret@a:1\" ] }")]
    [InlineData("\"Etcd\": { \"Endpoints\": \"http://u:s3cret@a:1\" }")]
    [InlineData("\"Etcd\": \"http://u:s3cret@a:1\"")]
    [InlineData("\"ZooKeeper\": { \"ConnectionString\": \"fence:s3cret@zk:2181\" }")]
    [InlineData("\"ZooKeeper\": { \"ConnectionString\": \"fence:s3cret,s3 cret@zk:2181\" }")]
    [InlineData("\"ZooKeeper\": { \"Root\": \"fence:s3cret@zk/root\" }")]
    [InlineData("\"KeyPrefix\": \"fence:s3cret@zk\"")]
    [InlineData("\"Etcd\": { \"Password\": \"s3cret\" }")]
    [InlineData("\"ZooKeeper\": { \"Password\": \"s3cret\" }")]
    public async Task Problem_SettingsWithSecrets_DoesNotRepeatThem(string members)
    {
        var problems = await ProblemsAsync(members);
        problems.ShouldNotBeEmpty();
        string.Join('\n', problems).ShouldNotContain("s3cret");
        string.Join('\n', problems).ShouldNotContain("s3 cret");
    }

    [Fact]
    public void Render_StoreSecrets_AreLeftOutAndTheRestIsShown()
    {
        using var file = new MemoryStream(Encoding.UTF8.GetBytes(Json.Gateway("""
            "TokenStore": {
              "Redis": { "Configuration": "10.0.0.5:6379,ssl=true,password=s3cret" },
              "Quorum": { "Nodes": [ "a:1,password=s3cret", "b:1,name=gw", "c:1" ] },
              "Postgres": { "ConnectionString": "Host=db;Database=fence;Username=fence;Password='s3;cret'" },
              "MySql": { "ConnectionString": "Server=db;Uid=fence;Pwd=s3cret;CertificatePassword=s3cret" },
              "ZooKeeper": { "User": "fence", "Password": "s3cret" },
              "Etcd": { "Endpoints": [ "http://e:2379" ], "User": "fence", "Password": "s3cret" }
            }
            """)));
        var configuration = new ConfigurationBuilder().AddJsonStream(file).Build();
        var options = new OptionsReader([]).Read<GatewayOptions>(configuration.GetSection(SectionNames.Gateway));

        var store = EffectiveConfiguration.Render(configuration, options)["FenceGateway"]!["TokenStore"]!;

        store.ToJsonString().ShouldNotContain("s3");
        store["Redis"]!["Configuration"]!.ToString().ShouldBe("10.0.0.5:6379,ssl=true,password=***");
        store["Quorum"]!["Nodes"]![0]!.ToString().ShouldBe("a:1,password=***");
        store["Quorum"]!["Nodes"]![1]!.ToString().ShouldBe("b:1,name=gw");
        store["Postgres"]!["ConnectionString"]!.ToString().ShouldBe(
            "host=db;database=fence;username=fence;password=***");
        store["MySql"]!["ConnectionString"]!.ToString().ShouldBe("server=db;uid=fence;pwd=***");
        store["Etcd"]!["Password"]!.ToString().ShouldBe("***");
        store["Replicate"].ShouldBeNull();
    }

    [Theory]
    [InlineData("a:1,password=s3cret,more", "a:1,password=***")]
    [InlineData("a:1,password=s3cret,more=x", "a:1,password=***")]
    [InlineData("a:1,password=s3cret,name=more,user=s3cret,serviceName=s3cret", "a:1,password=***")]
    [InlineData("a:1,ssl=true,b:1", "a:1,ssl=true,b:1")]
    [InlineData("s3cret@a:1", "***")]
    [InlineData("a:1,serviceName=m,sentinelUser=u,sentinelPassword=s3cret", "a:1,serviceName=m,sentinelUser=u,sentinelPassword=***")]
    public void Redact_RedisText_WhatFollowsASecretIsOne(string text, string shown) =>
        SecretText.Redact(SecretForm.RedisConfiguration, text).ShouldBe(shown);

    private static async Task ShouldBeOnlyProblemAsync(string members, string path, string message)
    {
        var problem = (await ProblemsAsync(members)).ShouldHaveSingleItem();
        problem.Path.ShouldBe(StorePath + path);
        problem.Message.ShouldContain(message);
    }

    private static Task<IReadOnlyList<ConfigProblem>> ProblemsAsync(string members) =>
        ConfigurationFolder.ProblemsAsync(Json.Gateway($"\"TokenStore\": {{ {members} }}"));

    /// <summary>The environment of the container image, without setting that of the tests.</summary>
    private sealed class ImageEnvironment : EnvironmentVariablesConfigurationProvider, IConfigurationSource
    {
        public override void Load() => Data["FenceGateway:TokenStore:Embedded:Path"] = "/var/lib/fencegateway";

        public IConfigurationProvider Build(IConfigurationBuilder builder) => this;
    }
}

using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Stores;
using FenceGateway.Gateway.Tests.Configuration;
using FenceGateway.TestKit;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Tests.Stores;

/// <summary>Users and passwords as settings of their own, and what is left of those in connection strings.</summary>
public sealed class StoreSignInTests
{
    /// <summary>
    /// A separator in a password that stands in a connection string makes the rest look like something that is shown.
    /// </summary>
    [Theory]
    [InlineData("\"Redis\": { \"Configuration\": \"a:1,password=x,s3cret\" }", ".Redis.Configuration")]
    [InlineData("\"Redis\": { \"Configuration\": \"a:1,password=x,s3cret:7\" }", ".Redis.Configuration")]
    [InlineData("\"Redis\": { \"Configuration\": \"password=x,s3cret\" }", ".Redis.Configuration")]
    [InlineData("\"Redis\": { \"Configuration\": \"a:1,serviceName=m,sentinelPassword=x,s3cret\" "
        + "}", ".Redis.Configuration")]
    [InlineData("\"Redis\": { \"Configuration\": \"a:1,password=x,serviceName=s3cret\" }", ".Redis.Configuration")]
    [InlineData("\"Quorum\": { \"Nodes\": [ \"a:1\", \"b:1,password=x,s3cret\", \"c:1\" ] }", ".Quorum.Nodes[1]")]
    [InlineData("\"Postgres\": { \"ConnectionString\": \"Host=a;Password=x;Host=s3cret\" "
        + "}", ".Postgres.ConnectionString")]
    [InlineData("\"Postgres\": { \"ConnectionString\": \"Host=a;Database=b;Username=c;Password=x;DB=s3cret\" "
        + "}", ".Postgres.ConnectionString")]
    [InlineData("\"MySql\": { \"ConnectionString\": \"Server=a;Pwd=x;Host=s3cret\" }", ".MySql.ConnectionString")]
    [InlineData("\"MySql\": { \"ConnectionString\": \"Server=a;Database=b;Password=x;Database=s3cret\" "
        + "}", ".MySql.ConnectionString")]
    public async Task Problem_RestOfAPasswordThatWouldBeShown_IsRefusedWithoutRepeatingIt(string members, string path)
    {
        var problem = (await ProblemsAsync(members)).ShouldHaveSingleItem();

        problem.Path.ShouldBe("$.FenceGateway.TokenStore" + path);
        problem.Message.ShouldContain("may be the rest of one with a");
        problem.Message.ShouldContain("PasswordFile");
        problem.ToString().ShouldNotContain("s3cret");
    }

    [Theory]
    [InlineData(nameof(SecretForm.ConnectionString), "Host=a;Username=b;Password=x;Database=s3cret", "host=a;username=b;password=***")]
    [InlineData(nameof(SecretForm.ConnectionString), "Host=a;Password='x;y';Database=s3cret", "host=a;password=***")]
    [InlineData(nameof(SecretForm.ConnectionString), "Server=a;Pwd=x;s3cret", "server=a;pwd=***")]
    [InlineData(nameof(SecretForm.ConnectionString), "Password=x;Host=s3cret", "password=***")]
    [InlineData(nameof(SecretForm.ConnectionString), "Host=a;SSL Key=s3cret;SSL Password=s3cret", "host=a;ssl key=***")]
    [InlineData(nameof(SecretForm.ConnectionString), "Host=a,passhost;Database=b", "host=a,passhost;database=b")]
    [InlineData(nameof(SecretForm.ConnectionString), "s3cret", "***")]
    [InlineData(nameof(SecretForm.RedisConfiguration), "a:1,password=s3cret,b:1", "a:1,password=***")]
    [InlineData(nameof(SecretForm.Whole), "s3cret", "***")]
    public void Redact_WhatFollowsAPassword_IsNeverShown(string form, string text, string shown) =>
        SecretText.Redact(Enum.Parse<SecretForm>(form), text).ShouldBe(shown);

    [Theory]
    [InlineData("\"Redis\": { \"Configuration\": \"a,user=u\", \"User\": \"v\" "
        + "}", ".Redis.User", "is given by Configuration as well")]
    [InlineData("\"Redis\": { \"Configuration\": \"a,password=x\", \"Password\": \"s3cret\" "
        + "}", ".Redis.Password", "is given by Configuration as well")]
    [InlineData("\"Redis\": { \"Configuration\": \"a,sentinelPassword=x\", \"Sentinels\": { \"Password\": \"s3cret\" } "
        + "}",
        ".Redis.Sentinels.Password", "is given by Configuration as well")]
    [InlineData("\"Quorum\": { \"Nodes\": [ \"a\", \"b\", \"c,password=x\" ], \"PasswordFile\": \"f\" "
        + "}", ".Quorum.PasswordFile", "is given by Nodes as well")]
    [InlineData("\"Postgres\": { \"ConnectionString\": \"Host=a;Password=x\", \"PasswordFile\": \"f\" }",
        ".Postgres.PasswordFile", "is given by ConnectionString as well")]
    [InlineData("\"Postgres\": { \"ConnectionString\": \"Host=a;User Id=x\", \"User\": \"y\" "
        + "}", ".Postgres.User", "is given by ConnectionString as well")]
    [InlineData("\"MySql\": { \"ConnectionString\": \"Server=a;Uid=x\", \"User\": \"y\" "
        + "}", ".MySql.User", "is given by ConnectionString as well")]
    [InlineData("\"MySql\": { \"ConnectionString\": \"Server=a;Pwd=x\", \"Password\": \"s3cret\" "
        + "}", ".MySql.Password", "is given by ConnectionString as well")]
    [InlineData("\"Redis\": { \"Configuration\": \"a\", \"Password\": \"s3cret\", \"PasswordFile\": \"f\" "
        + "}", ".Redis.PasswordFile", "beside a Password")]
    [InlineData("\"Redis\": { \"Configuration\": \"a\", \"Password\": \"\" }", ".Redis.Password", "is empty")]
    [InlineData("\"Provider\": \"Etcd\", \"Etcd\": { \"Endpoints\": [ \"http://a:1\" ], \"User\": \"u\", "
        + "\"PasswordFile\": \"/no/such\" }",
        ".Etcd.PasswordFile", "is '/no/such', which is no file")]
    [InlineData("\"Provider\": \"ZooKeeper\", \"ZooKeeper\": { \"ConnectionString\": \"a\", \"User\": \"u\", "
        + "\"PasswordFile\": \"/dev/null\" }",
        ".ZooKeeper.PasswordFile", "is '/dev/null', which is empty")]
    [InlineData("\"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"a\", \"PasswordFile\": \"/tmp\" "
        + "}", ".Redis.PasswordFile", "is '/tmp', which cannot be read")]
    [InlineData("\"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"a\", \"PasswordFile\": \"/dev/zero\" }",
        ".Redis.PasswordFile", "is '/dev/zero', which is longer than 4096 bytes")]
    [InlineData("\"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"a\", \"Sentinels\": { \"PasswordFile\": "
        + "\"/no/such\" } }",
        ".Redis.Sentinels.PasswordFile", "which is no file")]
    [InlineData("\"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"a\" }, \"Replicate\": { \"Regions\": { "
        + "\"eu\": { \"Provider\": \"MySql\", \"MySql\": { \"ConnectionString\": \"Server=a\", \"PasswordFile\": "
        + "\"/no/such\" } } } }",
        ".Replicate.Regions.eu.MySql.PasswordFile", "is '/no/such', which is no file")]
    public async Task SignIn_GivenTwiceOrUnreadable_NamesPathAndRemedy(string members, string path, string message)
    {
        var problem = (await ProblemsAsync(members)).ShouldHaveSingleItem();

        problem.Path.ShouldBe("$.FenceGateway.TokenStore" + path);
        problem.Message.ShouldContain(message);
        problem.Message.ShouldNotContain("s3cret");
    }

    [Fact]
    public async Task Problem_PasswordFileThatIsNoText_RepeatsNothingOfIt()
    {
        using var folder = new TempFolder();
        await File.WriteAllBytesAsync(folder.File("password"), [(byte)'s', 0xff], CancellationToken.None);

        var problem = (await ProblemsAsync(
            $"\"Provider\": \"Redis\", \"Redis\": {{ \"Configuration\": \"a\", \"PasswordFile\": "
                + $"\"{folder.File("password")}\" }}")).ShouldHaveSingleItem();

        problem.Message.ShouldEndWith("is not UTF-8 text");
    }

    [Theory]
    [InlineData("a,b;c=d e\n", "a,b;c=d e")]
    [InlineData("'x\"y\r\n", "'x\"y")]
    [InlineData(" é ", " é ")]
    [InlineData("two\nlines\n\n", "two\nlines")]
    public void PasswordSource_AFile_GivesItsTextWithoutTheLineEnd(string text, string password)
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.File("password"), text);

        new RedisStoreOptions { PasswordFile = folder.File("password") }.PasswordSource()!().ShouldBe(password);
    }

    [Fact]
    public void PasswordSource_AFileThatChanges_IsReadForEachConnection()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.File("password"), "one\n");
        var source = new EtcdStoreOptions { PasswordFile = folder.File("password") }.PasswordSource()!;
        source().ShouldBe("one");

        File.WriteAllText(folder.File("password"), "two\n");
        source().ShouldBe("two");
        File.Delete(folder.File("password"));

        var fault = Should.Throw<TokenStoreUnavailableException>(() => source());
        fault.NotTaken.ShouldBeTrue();
        fault.Message.ShouldContain(folder.File("password"));
    }

    [Theory]
    [InlineData("a b")]
    [InlineData("")]
    [InlineData("ö")]
    [InlineData("a_b")]
    public async Task InstanceName_WithOtherCharacters_IsAProblem(string name)
    {
        var problem = (await ConfigurationFolder.ProblemsAsync(Json.Gateway($"\"InstanceName\": \"{name}\"")))
            .ShouldHaveSingleItem();

        problem.Path.ShouldBe("$.FenceGateway.InstanceName");
        problem.Message.ShouldContain("1 to 64");
    }

    /// <summary>Of the provider whose section comes first, unless one is named.</summary>
    private static Task<IReadOnlyList<ConfigProblem>> ProblemsAsync(string members)
    {
        var provider = members.StartsWith("\"Provider\"", StringComparison.Ordinal)
            ? ""
            : $"\"Provider\": {members[..members.IndexOf(':', StringComparison.Ordinal)]}, ";
        return ConfigurationFolder.ProblemsAsync(Json.Gateway($"\"TokenStore\": {{ {provider}{members} }}"));
    }
}

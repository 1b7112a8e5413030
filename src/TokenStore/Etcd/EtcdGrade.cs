namespace FenceGateway.TokenStore.Etcd;

/// <summary>What an etcd cluster promises, from what it tells of itself.</summary>
internal static class EtcdGrade
{
    private const string Unreadable =
        "etcd does not tell whether a member runs with --unsafe-no-fsync or on storage that loses what it "
            + "acknowledged; none may.";

    public static TokenStoreInfo Of(int voters, string location) => voters switch
    {
        1 => new TokenStoreInfo("Etcd", SafetyGrade.Single, location,
            ["etcd has one member: marks live as long as its disk; run three members on three machines.", Unreadable]),
        2 => new TokenStoreInfo("Etcd", SafetyGrade.Strict, location,
            ["etcd has two members: it stops when either does; a third one makes it survive a machine.", Unreadable]),
        _ => new TokenStoreInfo("Etcd", SafetyGrade.Strict, location, [Unreadable]),
    };
}

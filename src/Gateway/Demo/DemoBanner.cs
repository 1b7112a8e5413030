using Spectre.Console;

namespace FenceGateway.Gateway.Demo;

/// <summary>What stands before and after the story.</summary>
internal static class DemoBanner
{
    public static void Write(DemoScreen screen, DemoPorts ports)
    {
        screen.Line("[bold]FenceGateway demo[/]");
        screen.Line();
        Address(screen, "gateway", ports.GatewayUrl, "what clients talk to");
        Address(screen, "admin", ports.AdminUrl, "what operators look at");
        Address(screen, "service", ports.ServiceUrl, "a sample service behind the gateway; it does not look at tokens");
        screen.Line();
        screen.Text($"policy    {DemoConfiguration.PolicyName}, on route {DemoConfiguration.Route}");
        screen.Text(
            $"          resource {DemoConfiguration.Resource}, header {DemoService.TokenHeader}, writes without a "
                + "token are refused,");
        screen.Text(
            $"          barrier Drain: a newer token waits up to {DemoConfiguration.DrainTimeoutSeconds} s until older "
                + "writes have ended");
        screen.Line();
        screen.Text("Try it from another terminal:");
        foreach (var command in Commands(ports))
        {
            screen.Line($"     [blue]{Markup.Escape(command)}[/]");
        }
    }

    public static void WriteSummary(DemoScreen screen)
    {
        screen.Title("What was shown");
        screen.Text(
            "- A write with a token older than one already seen for its resource gets 409 and never reaches the "
                + "service.");
        screen.Text("- A newer token waits until older writes that are in flight have ended.");
        screen.Text("- The service was not changed. It gets the token as well, in the same header.");
        screen.Title("What the fence cannot do");
        screen.Text(
            "- It guards what comes through it: a write that reaches the service by another way is not checked.");
        screen.Text(
            "- It sees an answer, not what the service goes on doing after it. Only the service itself can close that "
                + "gap:");
        screen.Text("  UPDATE ... WHERE fence <= @token, in the transaction of the write.");
        screen.Text(
            "- A time-out is no end: such a write is in doubt, and newer tokens wait InDoubtHold for it. Choose that "
                + "longer than");
        screen.Text("  the service can take.");
    }

    private static string[] Commands(DemoPorts ports) =>
    [
        $"curl -i -X PUT -H 'Fencing-Token: 34' -d 'mine' {ports.GatewayUrl}/orders/7",
        $"curl -i -X PUT -H 'Fencing-Token: 33' -d 'too late' {ports.GatewayUrl}/orders/7",
        $"curl -i -X PUT -d 'no token' {ports.GatewayUrl}/orders/7",
        $"curl -i {ports.GatewayUrl}/orders/7",
        $"curl -s {ports.AdminUrl}/admin/v1/resources/orders/7",
    ];

    private static void Address(DemoScreen screen, string name, string url, string purpose) =>
        screen.Line($"   {name,-9} [blue]{url}[/]   [grey]{purpose}[/]");
}

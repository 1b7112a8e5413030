using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace FenceGateway.Gateway.Cli;

/// <summary>The usual help of a verb, then examples to copy.</summary>
internal sealed class CommandLineHelp(HelpAction usual) : SynchronousCommandLineAction
{
    private static readonly Dictionary<string, string[]> Examples = new(StringComparer.Ordinal)
    {
        [""] =
        [
            "fencegateway demo                    see what a fencing token prevents, in a minute",
            "fencegateway validate my.json        check a configuration",
            "fencegateway --config my.json        run the gateway",
            "",
            "Exit codes: 0 done, 1 failed, 2 bad usage or bad configuration.",
            "Documents: docs/ of the project; configuration.md has every setting, operations.md the daily work.",
        ],
        ["run"] =
        [
            "fencegateway",
            "fencegateway run --config /etc/fencegateway/gateway.json",
            "fencegateway run --urls http://0.0.0.0:8080 --FenceGateway:TokenStore:Embedded:Path=/var/lib/fencegateway",
            "FenceGateway__Admin__Url=http://127.0.0.1:9081 fencegateway run",
            "",
            "A changed file is reloaded (SIGHUP reloads at once); a bad one is logged and the last good one keeps "
                + "serving.",
            "SIGTERM and Ctrl-C end it: readiness goes, requests in flight end, the token store is closed.",
        ],
        ["demo"] =
        [
            "fencegateway demo",
            "fencegateway demo --once                      for scripts: exit code 0 after the story",
            "fencegateway demo --port 9080 --admin-port 9081 --service-port 9082",
        ],
        ["validate"] =
        [
            "fencegateway validate",
            "fencegateway validate my.json && deploy my.json",
            "",
            "Each problem is a line 'PATH: message' on stderr. Environment variables and settings count as they do for "
                + "run.",
        ],
        ["print"] =
            ["fencegateway config print --config my.json", "fencegateway config print --urls http://0.0.0.0:8080"],
        ["schema"] =
        [
            "fencegateway config schema > gateway.schema.json",
            "",
            "Name it in the file and editors complete and check as you type: \"$schema\": \"./gateway.schema.json\"",
        ],
        ["healthcheck"] =
        [
            "fencegateway healthcheck",
            "fencegateway healthcheck --url http://10.0.0.5:8081/readyz --timeout 00:00:01",
        ],
    };

    /// <summary>Adds examples to the help of <paramref name="root"/> and all its verbs.</summary>
    public static void AddTo(RootCommand root)
    {
        foreach (var option in root.Options.OfType<HelpOption>())
        {
            option.Action = new CommandLineHelp((HelpAction)option.Action!);
        }
    }

    public override int Invoke(ParseResult parseResult)
    {
        var result = usual.Invoke(parseResult);
        var command = parseResult.CommandResult.Command;
        if (Examples.TryGetValue(command is RootCommand ? "" : command.Name, out var lines))
        {
            var output = parseResult.InvocationConfiguration.Output;
            output.WriteLine("Examples:");
            foreach (var line in lines)
            {
                output.WriteLine(line.Length == 0 ? "" : $"  {line}");
            }

            output.WriteLine();
        }

        return result;
    }
}

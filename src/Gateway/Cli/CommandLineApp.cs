using System.CommandLine;
using FenceGateway.Gateway.Chaos;
using FenceGateway.Gateway.Configuration;
using FenceGateway.Gateway.Demo;

namespace FenceGateway.Gateway.Cli;

/// <summary>The command line: which verb runs with what, and the exit code.</summary>
/// <param name="run">Runs the gateway until it is told to stop.</param>
/// <param name="demo">Runs the demo.</param>
/// <param name="time">Time of what the command line itself waits for.</param>
/// <param name="output">For what was asked for.</param>
/// <param name="error">For what went wrong.</param>
internal sealed class CommandLineApp(
    Func<GatewayArguments, CancellationToken, Task<int>> run,
    Func<DemoArguments, CancellationToken, Task<int>> demo,
    TimeProvider time,
    TextWriter output,
    TextWriter error)
{
    private readonly Option<string?> _config = new("--config")
    {
        HelpName = "FILE",
        Description = $"The configuration file. Default: {ConfigurationFile.DefaultName} from the working directory, "
            + "else beside the executable.",
    };

    private string[] _settings = [];

    /// <summary>
    /// Runs the verb of <paramref name="arguments"/> (<c>run</c> if there is none) and gives its exit code.
    /// </summary>
    public async Task<int> InvokeAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        try
        {
            (var rest, _settings) = SettingArguments.Split(arguments);
            var root = Root();
            var result = root.Parse(
                HasVerb(rest, root) ? rest : ["run", .. rest],
                new ParserConfiguration { EnablePosixBundling = false, ResponseFileTokenReplacer = null });
            if (UsageError(result) is { } usage)
            {
                throw new CliException(usage);
            }

            // The host has its own way to end on a signal, so the parser must not have one.
            return await result.InvokeAsync(
                new InvocationConfiguration
                {
                    Output = output,
                    Error = error,
                    EnableDefaultExceptionHandler = false,
                    ProcessTerminationTimeout = null,
                },
                cancellationToken);
        }
        catch (CliException e)
        {
            await error.WriteLineAsync($"{e.Message}\nRun 'fencegateway --help' for what is possible.");
            return ExitCode.BadUsage;
        }
        catch (ConfigurationRejectedException e)
        {
            await ValidateVerb.WriteProblemsAsync(e.Problems, error);
            return ExitCode.BadUsage;
        }
    }

    private RootCommand Root()
    {
        var root = new RootCommand(
            "A reverse proxy that lets only the current holder of a lock write: every write carries a "
            + "fencing token, and one that is older than another already seen gets 409 and never reaches the service.")
        {
            Run(), Demo(), Validate(), Config(), Healthcheck(), Version(),
        };
        CommandLineHelp.AddTo(root);
        return root;
    }

    private Command Run()
    {
        var allowChaos = new Option<bool>("--allow-chaos")
        {
            Description = $"Let the section FenceGateway:Chaos inject faults; also with {ChaosSwitch.Variable}=true.",
        };
        var command = new Command(
            "run", "Run the gateway; what happens without a verb. Settings of .NET configuration may "
            + "follow: --urls URL, --environment NAME, --Section:Key=value.") { _config, allowChaos };
        command.SetAction((result, ct) => run(Arguments(result) with { AllowChaos = result.GetValue(allowChaos) }, ct));
        return command;
    }

    private Command Demo()
    {
        var once = new Option<bool>("--once") { Description = "Exit after the story instead of staying up." };
        var port = Port("--port", DemoArguments.DefaultPort, "Port of the gateway; 0 means any free one.");
        var adminPort = Port("--admin-port", DemoArguments.DefaultAdminPort, "Port of the admin listener.");
        var servicePort = Port("--service-port", DemoArguments.DefaultServicePort, "Port of the sample service.");
        var noColor = new Option<bool>("--no-color") { Description = "Plain text; also with the variable NO_COLOR." };
        var command = new Command(
            "demo", "Show it: start a gateway with a sample service behind it, let two holders of one lock "
            + "write, and print each HTTP exchange. Needs nothing else and leaves nothing behind.")
        {
            once, port, adminPort, servicePort, noColor,
        };
        command.SetAction((result, ct) => demo(
            new DemoArguments(
                result.GetValue(once),
                result.GetValue(port),
                result.GetValue(adminPort),
                result.GetValue(servicePort),
                result.GetValue(noColor),
                _settings),
            ct));
        return command;
    }

    private static Option<int> Port(string name, int byDefault, string description)
    {
        var option = new Option<int>(name)
        {
            HelpName = "PORT",
            Description = description,
            DefaultValueFactory = _ => byDefault,
        };
        option.Validators.Add(result =>
        {
            // What is no number at all is the parser's to say.
            if (result.Tokens is [var token] && int.TryParse(token.Value, out var port) && port is < 0 or > 65535)
            {
                result.AddError($"{name} must be a port, 0 to 65535.");
            }
        });
        return option;
    }

    private Command Validate()
    {
        var file = new Argument<string?>("FILE")
        {
            Arity = ArgumentArity.ZeroOrOne,
            Description = "The configuration file; like --config.",
        };
        file.Validators.Add(result =>
        {
            // The parser takes a misspelt option for the name of a file.
            if (result.Tokens is [{ Value: ['-', '-', ..] option }])
            {
                result.AddError($"There is no option '{option}'; a file of that name is ./{option}.");
            }
        });
        var command = new Command(
            "validate", "Check a configuration without running it. Names every problem with its JSON path.")
        {
            file, _config,
        };
        command.SetAction((result, ct) =>
        {
            var (named, option) = (result.GetValue(file), result.GetValue(_config));
            return named is not null && option is not null
                ? throw new CliException("Name the file once: validate FILE or validate --config FILE.")
                : ValidateVerb.RunAsync(new GatewayArguments(named ?? option, _settings), time, output, ct);
        });
        return command;
    }

    private Command Config()
    {
        var print = new Command(
            "print", "Print the configuration as the gateway would use it: file, environment, command line "
            + "and defaults together, secrets left out.") { _config };
        print.SetAction((result, ct) => ConfigVerb.PrintAsync(Arguments(result), time, output, ct));
        var schema = new Command("schema", "Print the JSON schema of the configuration file.");
        schema.SetAction(_ => ConfigVerb.PrintSchema(output));
        return new Command("config", "Show the configuration or its schema.") { print, schema };
    }

    private Command Healthcheck()
    {
        var url = new Option<string?>("--url")
        {
            HelpName = "URL",
            Description = "Ask this. Default: /healthz of FenceGateway:Admin:Url.",
        };
        var timeout = new Option<string>("--timeout")
        {
            HelpName = "hh:mm:ss",
            Description = "How long to wait for the answer.",
            DefaultValueFactory = _ => "00:00:03",
        };
        var command = new Command(
            "healthcheck", "Ask a running gateway whether it is ready: exit code 0 if it is, 1 if not. For "
            + "the health check of a container.") { url, timeout, _config };
        command.SetAction((result, ct) => new HealthcheckVerb(time, output)
            .RunAsync(result.GetValue(url), result.GetValue(timeout)!, Arguments(result), ct));
        return command;
    }

    private Command Version()
    {
        var command = new Command(
            "version", "Print the versions of the gateway, the runtime and the operating system.");
        command.SetAction(_ => VersionVerb.Print(output));
        return command;
    }

    private GatewayArguments Arguments(ParseResult result) => new(result.GetValue(_config), _settings);

    private static bool HasVerb(string[] arguments, RootCommand root)
    {
        if (arguments.Length == 0)
        {
            return false;
        }

        var verbs = root.Subcommands.Select(c => c.Name).ToArray();
        var first = arguments[0];
        return first.StartsWith('-')
            ? root.Options.Any(o => o.Name == first || o.Aliases.Contains(first))
            : verbs.Contains(first, StringComparer.Ordinal)
                ? true
                : throw new CliException($"There is no verb '{first}'; {NearestName.Hint(first, verbs, "verbs")}");
    }

    private string? UsageError(ParseResult result)
    {
        var command = result.CommandResult.Command;
        if (result.Errors.Count > 0)
        {
            return string.Join('\n', result.Errors.Select(e => e.Message).Concat(Suggestions(result, command)));
        }

        return _settings.Length > 0 && command.Name is ("version" or "schema")
            ? $"'{command.Name}' takes no settings such as {_settings[0]}."
            : null;
    }

    private static IEnumerable<string> Suggestions(ParseResult result, Command command)
    {
        var known = command.Options.Select(o => o.Name)
            .Concat(command.Subcommands.Select(c => c.Name))
            .Concat(SettingArguments.Names.Select(n => $"--{n}"))
            .ToArray();
        return result.UnmatchedTokens
            .Select(token => (Token: token, Nearest: NearestName.Of(token.Split('=', 2)[0], known)))
            .Where(s => s.Nearest is not null)
            .Select(s => $"'{s.Token}': did you mean '{s.Nearest}'?");
    }
}

using System.CommandLine;
using System.CommandLine.Help;

namespace WebRtcIms.Waf.CommandLine;

/// <summary>
/// The command <c>waf</c>: <c>dotnet run --project Waf -- clients list</c>. It calls the administration of a running WAF. The exit
/// code is 0, or 1 when the WAF refuses or cannot be reached, or 2 for wrong words.
/// </summary>
internal static class WafCommand
{
    private const int WrongWords = 2;

    /// <summary>Whether the arguments are a command, and not settings of the service, such as <c>--urls=…</c>.</summary>
    public static bool Is(string[] args) =>
        args is [var first, ..]
            && (first is "--help" or "-h" or "-?" or "--version"
                || (first is not ([] or ['-' or '/', ..]) && !first.Contains('=', StringComparison.Ordinal)));

    public static Task<int> RunAsync(string[] args) => RunAsync(args, Configuration(), Console.Out, Console.Error);

    public static async Task<int> RunAsync(string[] args, IConfiguration configuration, TextWriter output, TextWriter error)
    {
        if (args is ["help", .. var words]) args = [.. words, "--help"];
        var root = Commands.Create(configuration, output, error);
        var parsed = root.Parse(args);
        if (parsed.Errors.Count > 0 && parsed.Action is not HelpAction)
        {
            foreach (var problem in parsed.Errors) await error.WriteLineAsync(problem.Message);
            await error.WriteLineAsync("'help' lists the commands.");
            return WrongWords;
        }

        return await parsed.InvokeAsync(new InvocationConfiguration { Output = output, Error = error });
    }

    private static IConfigurationRoot Configuration() => new ConfigurationBuilder()
        .AddJsonFile("appsettings.json", optional: true)
        .AddJsonFile($"appsettings.{Environment.GetEnvironmentVariable("ASPNETCORE_ENVIRONMENT") ?? "Production"}.json", optional: true)
        .AddEnvironmentVariables("ASPNETCORE_")
        .AddEnvironmentVariables()
        .Build();
}

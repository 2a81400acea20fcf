using System.Diagnostics;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests.Systemd;

/// <summary>
/// A part as its unit starts it: the command, the folder and the environment of the unit, and nothing else. systemd itself does not run
/// on every machine that runs tests.
/// </summary>
internal sealed class UnitProcess : ServerProcess
{
    private UnitProcess(ProcessStartInfo start)
        : base(start)
    {
    }

    /// <summary>Starts the part, and waits until it listens.</summary>
    /// <param name="installation">Where it is installed.</param>
    /// <param name="part">Such as <c>waf</c>.</param>
    /// <param name="adapt">Replaces ports and addresses in a value of the environment.</param>
    public static async Task<UnitProcess> StartAsync(Installation installation, string part, Func<string, string> adapt)
    {
        var unit = installation.UnitOf(part);
        var environment = Assignments.In(installation.PathOf(Assignments.Of(unit, "EnvironmentFile")))
            .ToDictionary(setting => setting.Name, setting => adapt(setting.Value));
        var command = Assignments.Of(unit, "ExecStart").Split(' ');
        var start = Foreground.Of(installation.PathOf(command[0]), command[1..].Select(word => Expand(word, environment)));
        start.WorkingDirectory = installation.PathOf(Assignments.Of(unit, "WorkingDirectory"));
        start.Environment.Clear();
        start.Environment["PATH"] = Environment.GetEnvironmentVariable("PATH");
        if (Environment.GetEnvironmentVariable("DOTNET_ROOT") is { } runtime) start.Environment["DOTNET_ROOT"] = runtime;
        foreach (var (name, value) in environment) start.Environment[name] = value;
        var process = new UnitProcess(start);
        await process.UntilUpAsync(_ => Task.FromResult(process.Output.Contains(" listens on ", StringComparison.Ordinal)));
        return process;
    }

    // As systemd does for ${NAME} within a word.
    private static string Expand(string word, Dictionary<string, string> environment) =>
        environment.Aggregate(word, (text, setting) => text.Replace($"${{{setting.Key}}}", setting.Value, StringComparison.Ordinal));
}

using System.Diagnostics;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests.Systemd;

/// <summary>
/// A part as its unit starts it: the command, the folder and the environment of the unit, and nothing else. For root, also the user
/// without rights and the read-only file system with one writable folder. systemd itself does not run on every machine that runs tests.
/// </summary>
internal sealed class UnitProcess : ServerProcess
{
    // As ProtectSystem=strict, StateDirectory and User do it. The program keeps the process id of the shell.
    private const string Sandbox = """
        mount --bind "$1" "$1" && mount -o remount,bind,ro / && shift
        exec setpriv --reuid=1654 --regid=1654 --clear-groups --no-new-privs --bounding-set=-all "$@"
        """;

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
        string[] program = [installation.PathOf(command[0]), .. command[1..].Select(word => Expand(word, environment))];
        if (Environment.UserName == "root")
            program = ["unshare", "--mount", "sh", "-c", Sandbox, "sh", installation.StateOf(part), .. program];
        var start = Foreground.Of(program[0], program[1..]);
        start.WorkingDirectory = installation.PathOf(Assignments.Of(unit, "WorkingDirectory"));
        start.Environment.Clear();
        start.Environment["PATH"] = Environment.GetEnvironmentVariable("PATH");
        // The home of a user that systemd-sysusers makes. .NET looks for certificates there.
        start.Environment["HOME"] = "/";
        if (Environment.GetEnvironmentVariable("DOTNET_ROOT") is { } runtime) start.Environment["DOTNET_ROOT"] = runtime;
        // In place of PrivateTmp, which would hide the folder of the test. Data Protection writes keys there first; others need none.
        if (Assignments.In(unit).Any(assignment => assignment.Name == "StateDirectory"))
            start.Environment["TMPDIR"] = installation.StateOf(part);
        foreach (var (name, value) in environment) start.Environment[name] = value;
        var process = new UnitProcess(start);
        await process.UntilUpAsync(_ => Task.FromResult(process.Output.Contains(" listens on ", StringComparison.Ordinal)));
        return process;
    }

    // As systemd does for ${NAME} within a word.
    private static string Expand(string word, Dictionary<string, string> environment) =>
        environment.Aggregate(word, (text, setting) => text.Replace($"${{{setting.Key}}}", setting.Value, StringComparison.Ordinal));
}

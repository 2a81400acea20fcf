using System.Diagnostics;

namespace WebRtcIms.Tests.Common;

/// <summary>
/// Ends the servers of a test run whose process ends without disposing of them, for example because it was cancelled or killed. A
/// shell holds the list of servers. It reads them from a pipe, which the kernel closes with the test process.
/// </summary>
public static class Watchdog
{
    // The shell itself must outlive the signals of a terminal. A suspended server needs CONT before it can end.
    private const string Script = """
        trap '' HUP INT QUIT TERM
        servers=' '
        while read -r change id; do
            case $change in
                +) servers="$servers$id " ;;
                -) case $servers in *" $id "*) servers="${servers%% "$id" *} ${servers#* "$id" }" ;; esac ;;
            esac
        done
        for id in $servers; do kill -TERM "$id"; kill -CONT "$id"; done
        for attempt in 1 2 3 4 5 6 7 8 9 10; do
            left=''
            for id in $servers; do kill -0 "$id" && left="$left $id"; done
            [ -z "$left" ] && exit
            sleep 0.5
        done
        kill -KILL $left
        """;

    private static readonly Lazy<StreamWriter?> Shell = new(StartShell);

    /// <summary>Starts a server that ends with this process at the latest.</summary>
    public static Process Start(ProcessStartInfo start)
    {
        // A user may have 128 file watchers, and many servers run at the same time. None reads its settings files again.
        start.Environment["DOTNET_hostBuilder__reloadConfigOnChange"] = "false";
        var server = new Process { StartInfo = start, EnableRaisingEvents = true };
        server.Start();
        var id = server.Id;
        Write('+', id);
        server.Exited += (_, _) => Write('-', id);
        if (server.HasExited) Write('-', id);
        return server;
    }

    private static void Write(char change, int id)
    {
        if (Shell.Value is not { } shell) return;
        lock (shell)
        {
            shell.WriteLine($"{change} {id}");
            shell.Flush();
        }
    }

    private static StreamWriter? StartShell()
    {
        if (OperatingSystem.IsWindows()) return null;

        // Not an inherited output: a test runner waits until that is closed.
        return Process.Start(new ProcessStartInfo("/bin/sh", ["-c", $"exec >/dev/null 2>&1\n{Script}"]) { RedirectStandardInput = true })!
            .StandardInput;
    }
}

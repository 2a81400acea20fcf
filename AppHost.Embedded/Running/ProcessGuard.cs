using System.Diagnostics;

namespace Aspire.Hosting.Running;

/// <summary>
/// Sees to it that no child outlives the host, however the host ends. .NET can neither send SIGTERM nor tie a child's life to
/// its parent's, so a small shell does both: it is told over its standard input which processes there are and which to ask to
/// stop, and when that input ends, which the system does also for a host that was killed, it stops all that are left.
/// Elsewhere than on Unix there is no such shell: children are stopped at once, and those of a killed host stay.
/// </summary>
internal sealed class ProcessGuard : IDisposable
{
    // Signals of the terminal go to the whole process group; the shell must survive them as the host does.
    private const string Script =
        """
        trap '' INT TERM HUP QUIT
        left() { for p in $pids; do kill -0 "$p" 2>/dev/null && return 0; done; return 1; }
        pids=
        while read -r verb pid; do
          case $verb in
            add) pids="$pids $pid" ;;
            stop) kill -TERM "$pid" 2>/dev/null ;;
            gone) rest=; for p in $pids; do [ "$p" = "$pid" ] || rest="$rest $p"; done; pids=$rest ;;
          esac
        done
        for p in $pids; do kill -TERM "$p" 2>/dev/null; done
        i=0; while [ $i -lt 30 ] && left; do sleep 0.1; i=$((i + 1)); done
        for p in $pids; do kill -KILL "$p" 2>/dev/null; done
        """;

    private readonly Lock _lock = new();
    private readonly Process? _shell;

    public ProcessGuard()
    {
        if (OperatingSystem.IsWindows()) return;
        _shell = Process.Start(new ProcessStartInfo("/bin/sh") { ArgumentList = { "-c", Script }, RedirectStandardInput = true });
    }

    public void Add(int processId) => Tell("add", processId);

    public void Remove(int processId) => Tell("gone", processId);

    /// <summary>Asks the process to stop (SIGTERM). False where that cannot be asked.</summary>
    public bool RequestStop(int processId) => Tell("stop", processId);

    public void Dispose()
    {
        if (_shell is null) return;
        lock (_lock) _shell.StandardInput.Dispose();
        _shell.WaitForExit(TimeSpan.FromSeconds(1));
        _shell.Dispose();
    }

    private bool Tell(string verb, int processId)
    {
        if (_shell is null) return false;
        try
        {
            lock (_lock)
            {
                _shell.StandardInput.Write($"{verb} {processId}\n");
                _shell.StandardInput.Flush();
            }

            return true;
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            return false;
        }
    }
}

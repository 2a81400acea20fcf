using System.Diagnostics;
using System.Globalization;

namespace WebRtcIms.Tests.Common;

/// <summary>A real PostgreSQL server on a free port of this machine, with its own empty cluster.</summary>
public sealed class PostgresServer : ServerProcess
{
    private readonly DirectoryInfo _folder;
    private readonly int _port;

    private PostgresServer(ProcessStartInfo start, DirectoryInfo folder, int port)
        : base(start) => (_folder, _port) = (folder, port);

    /// <summary>The value for <c>ConnectionStrings</c>. The service that uses the database creates it.</summary>
    public string ConnectionString(string database) =>
        string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={_port};Username=postgres;Database={database}");

    /// <summary>Returns when the server answers.</summary>
    public static async Task<PostgresServer> StartAsync()
    {
        var (folder, port) = (Directory.CreateTempSubdirectory("postgres-tests-"), FreePorts.Tcp());
        var cluster = Path.Combine(folder.FullName, "cluster");
        var initialize = Command("initdb", ["-D", cluster, "-A", "trust", "-U", "postgres", "--no-sync"]);
        if (Environment.UserName == "root") await RunAsync(new ProcessStartInfo("chown", ["postgres", folder.FullName]));
        await RunAsync(initialize);

        string[] settings = [$"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"];
        var server =
            new PostgresServer(
                Command("postgres", ["-D", cluster, .. settings.SelectMany(setting => new[] { "-c", setting })]), folder, port);
        await server.UntilUpAsync(_ => Task.FromResult(server.Output.Contains("ready to accept connections", StringComparison.Ordinal)));
        return server;
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    // PostgreSQL does not run as root. Debian keeps its programs outside the PATH.
    private static ProcessStartInfo Command(string program, string[] arguments)
    {
        var folder = Directory.Exists("/usr/lib/postgresql")
            ? Directory.GetDirectories("/usr/lib/postgresql").Order(StringComparer.Ordinal).LastOrDefault()
            : null;
        var path = folder is null ? Tools.Require(program, "postgresql") : Path.Combine(folder, "bin", program);
        if (!File.Exists(path)) path = Tools.Require(program, "postgresql");
        var start = Environment.UserName == "root"
            ? new ProcessStartInfo("setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", path, .. arguments])
            : new ProcessStartInfo(path, arguments);
        start.WorkingDirectory = Path.GetTempPath();
        return start;
    }

    private static async Task RunAsync(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{await output}\n{await errors}");
    }
}

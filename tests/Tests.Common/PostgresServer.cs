using System.Diagnostics;
using System.Globalization;

namespace WebRtcIms.Tests.Common;

/// <summary>A real PostgreSQL server on a free port of this machine, with its own empty cluster.</summary>
public sealed class PostgresServer : ServerProcess
{
    // It takes a second to make, and each server starts on a copy.
    private static readonly Lazy<Task<string>> EmptyCluster = new(CreateClusterAsync);

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
        var empty = await EmptyCluster.Value;
        var (folder, port) = (await CreateFolderAsync(), FreePorts.Tcp());
        await RunAsync(AsPostgres("cp", ["-R", empty, Path.Combine(folder.FullName, "cluster")]));
        return await LaunchAsync(folder, port);
    }

    /// <summary>Starts a server that has ended again, at the same address and with its data. It replaces this object.</summary>
    public async Task<PostgresServer> RestartAsync()
    {
        await base.DisposeAsync();
        return await LaunchAsync(_folder, _port);
    }

    private static async Task<PostgresServer> LaunchAsync(DirectoryInfo folder, int port)
    {
        var cluster = Path.Combine(folder.FullName, "cluster");
        // Memory that processes share is in files of the cluster: a killed server would leave it in /dev/shm.
        string[] settings =
            [$"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "dynamic_shared_memory_type=mmap"];
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

    private static async Task<string> CreateClusterAsync()
    {
        var folder = await CreateFolderAsync();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Delete(recursive: true);
        var cluster = Path.Combine(folder.FullName, "cluster");
        await RunAsync(Command("initdb", ["-D", cluster, "-A", "trust", "-U", "postgres", "--no-sync"]));
        return cluster;
    }

    private static async Task<DirectoryInfo> CreateFolderAsync()
    {
        var folder = Directory.CreateTempSubdirectory("postgres-tests-");
        if (Environment.UserName == "root") await RunAsync(new ProcessStartInfo("chown", ["postgres", folder.FullName]));
        return folder;
    }

    // Debian keeps the programs outside the PATH.
    private static ProcessStartInfo Command(string program, string[] arguments)
    {
        var folder = Directory.Exists("/usr/lib/postgresql")
            ? Directory.GetDirectories("/usr/lib/postgresql").Order(StringComparer.Ordinal).LastOrDefault()
            : null;
        var path = folder is null ? Tools.Require(program, "postgresql") : Path.Combine(folder, "bin", program);
        if (!File.Exists(path)) path = Tools.Require(program, "postgresql");
        return AsPostgres(path, arguments);
    }

    // PostgreSQL does not run as root.
    private static ProcessStartInfo AsPostgres(string program, string[] arguments)
    {
        var start = Environment.UserName == "root"
            ? new ProcessStartInfo("setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", program, .. arguments])
            : new ProcessStartInfo(program, arguments);
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

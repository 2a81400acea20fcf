using System.Diagnostics;
using System.Globalization;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Networks.Tests.Namespaces;

/// <summary>
/// A network that the test makes: network namespaces of Linux, as machines, and pairs of veth interfaces, as wires. Names are unique, and
/// everything goes with the test. What a killed test run left is removed by the next one.
/// </summary>
public sealed class TestNetwork : IAsyncDisposable
{
    private const string Prefix = "wins";

    private static readonly Lazy<Task> Leftovers = new(RemoveLeftoversAsync);

    private static int _networks;

    private readonly string _name = string.Create(
        CultureInfo.InvariantCulture, $"{Prefix}-{Environment.ProcessId}-{Interlocked.Increment(ref _networks)}");

    private readonly List<Machine> _machines = [];

    private TestNetwork()
    {
    }

    /// <summary>An empty network. Skips the test, with the reason, where namespaces cannot be made.</summary>
    public static async Task<TestNetwork> CreateAsync()
    {
        Require();
        await Leftovers.Value;
        return new TestNetwork();
    }

    /// <summary>
    /// Two machines on one wire: <c>server</c> at 20.77.0.1/24 and 2a77::1/64 on <c>eth0</c>, <c>client</c> at .101, .102 and .103
    /// (2a77::101 to ::103) on <c>eth0</c>.
    /// </summary>
    public static async Task<(TestNetwork Network, Machine Server, Machine Client)> WithClientAsync()
    {
        var network = await CreateAsync();
        try
        {
            var server = await network.AddAsync("server");
            var client = await network.AddAsync("client");
            await server.ConnectAsync("eth0", client, "eth0");
            foreach (var address in new[] { "20.77.0.1/24", "2a77::1/64" }) await server.AddAddressAsync(address, "eth0");
            foreach (var host in new[] { "101", "102", "103" })
            {
                await client.AddAddressAsync($"20.77.0.{host}/24", "eth0");
                await client.AddAddressAsync($"2a77::{host}/64", "eth0");
            }

            return (network, server, client);
        }
        catch
        {
            await network.DisposeAsync();
            throw;
        }
    }

    /// <summary>A machine with only a loopback interface, which is up.</summary>
    public async Task<Machine> AddAsync(string role)
    {
        var machine = new Machine($"{_name}-{role}");
        await IpAsync("netns", "add", machine.Name);
        _machines.Add(machine);
        await machine.IpAsync("link", "set", "lo", "up");
        return machine;
    }

    public async ValueTask DisposeAsync()
    {
        // A namespace takes its interfaces and their other ends with it.
        foreach (var machine in _machines)
        {
            await RunAsync("ip", ["netns", "delete", machine.Name]);
            machine.RemoveFiles();
        }
    }

    /// <summary>Runs <c>ip</c>, which must succeed.</summary>
    internal static async Task IpAsync(params string[] arguments)
    {
        var (exitCode, output) = await RunAsync("ip", arguments);
        Assert.True(exitCode == 0, $"ip {string.Join(' ', arguments)}: {output}");
    }

    // Not Command.RunAsync: it stops with a cancelled test, and what the test made must still be removed.
    private static async Task<(int ExitCode, string Output)> RunAsync(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + await errors);
    }

    private static void Require()
    {
        if (!OperatingSystem.IsLinux()) Assert.Skip("network namespaces need Linux");
        Tools.Require("ip", "iproute2");
        if (!Environment.IsPrivilegedProcess) Assert.Skip("network namespaces need root");
        using var unshare = Process.Start(new ProcessStartInfo("unshare", ["--net", "true"]) { RedirectStandardError = true })!;
        unshare.WaitForExit();
        if (unshare.ExitCode != 0) Assert.Skip("this container may not make network namespaces (CAP_SYS_ADMIN)");
    }

    private static async Task RemoveLeftoversAsync()
    {
        var (_, output) = await RunAsync("ip", ["netns", "list"]);
        var left = output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ')[0])
            .Where(name => name.Split('-') is [Prefix, var process, ..] && !Directory.Exists($"/proc/{process}"));
        foreach (var name in left)
        {
            await RunAsync("ip", ["netns", "delete", name]);
            new Machine(name).RemoveFiles();
        }
    }
}

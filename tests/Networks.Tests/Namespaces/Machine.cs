using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Networks.Tests.Namespaces;

/// <summary>A machine of a test network: a network namespace.</summary>
public sealed class Machine(string name)
{
    /// <summary>The name of the namespace.</summary>
    public string Name => name;

    // Files of this folder stand for those of /etc in the processes that `ip netns exec` starts.
    private string Files => $"/etc/netns/{name}";

    /// <summary>Runs <c>ip</c> in the namespace; it must succeed.</summary>
    public Task IpAsync(params string[] arguments) => TestNetwork.IpAsync(["-n", name, .. arguments]);

    /// <summary>Puts a wire to another machine, with an interface at each end, both up.</summary>
    public async Task ConnectAsync(string @interface, Machine other, string otherInterface)
    {
        await TestNetwork.IpAsync(
            "link", "add", @interface, "netns", Name, "type", "veth", "peer", "name", otherInterface, "netns", other.Name);
        await IpAsync("link", "set", @interface, "up");
        await other.IpAsync("link", "set", otherInterface, "up");
    }

    /// <summary>Adds an address that can be used at once: an IPv6 one without duplicate address detection.</summary>
    public Task AddAddressAsync(string address, string @interface) => address.Contains(':')
        ? IpAsync("address", "add", address, "dev", @interface, "nodad") : IpAsync("address", "add", address, "dev", @interface);

    public Task RemoveAddressAsync(string address, string @interface) => IpAsync("address", "delete", address, "dev", @interface);

    /// <summary>Sets a value of /proc/sys, such as <c>net/ipv6/conf/all/disable_ipv6</c>.</summary>
    public void Set(string setting, string value) => Run(() =>
    {
        File.WriteAllText($"/proc/sys/{setting}", value);
        return true;
    });

    /// <summary>Runs code on a thread in the namespace. Sockets that it makes stay there, whichever thread uses them later.</summary>
    public T Run<T>(Func<T> code) => NamespaceThread.Run(name, code);

    /// <summary>A bound UDP socket.</summary>
    public UdpClient Udp(string address, int port = 0) => Run(() => new UdpClient(new IPEndPoint(IPAddress.Parse(address), port)));

    /// <summary>A client over UDP at one of the addresses of this machine.</summary>
    public StunTestClient UdpClient(string from, IPEndPoint server, StunCredential? credential = null)
    {
        var client = Run(() => StunTestClient.Udp(server, 0, IPAddress.Parse(from)));
        client.Credential = credential;
        return client;
    }

    /// <summary>A client over TCP, or over TLS if options are given.</summary>
    public async Task<StunTestClient> TcpClientAsync(
        IPEndPoint server, StunCredential? credential = null, SslClientAuthenticationOptions? tls = null)
    {
        var client = await Run(() => StunTestClient.TcpAsync(server, tls));
        client.Credential = credential;
        return client;
    }

    /// <summary>A client of HTTP.</summary>
    public HttpClient Http() => new(new SocketsHttpHandler
    {
        UseProxy = false,
        ConnectCallback = async (context, cancel) =>
        {
            var socket = Run(() => new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
            try
            {
                await socket.ConnectAsync(context.DnsEndPoint, cancel);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        },
    });

    /// <summary>
    /// Starts the TURN server of this repository, with the policy and ports of a real deployment: 3478, 5349, management at
    /// http://localhost:8083.
    /// </summary>
    public Task<TurnServerProcess> StartTurnAsync(params (string Name, string Value)[] settings) =>
        TurnServerProcess.StartBehindAsync(["ip", "netns", "exec", name, "dotnet"], Deployed(settings));

    /// <summary>Starts the TURN server, waits until it has ended by itself, and returns the exit code and all output.</summary>
    public Task<(int ExitCode, string Output)> RunTurnToEndAsync(params (string Name, string Value)[] settings) =>
        TurnServerProcess.RunToEndBehindAsync(["ip", "netns", "exec", name, "dotnet"], Deployed(settings));

    /// <summary>Writes a file that stands for /etc/hosts in the processes of this machine; at any time after the first.</summary>
    public void WriteHosts(string text)
    {
        Directory.CreateDirectory(Files);
        File.WriteAllText(Path.Combine(Files, "hosts"), text);
    }

    internal void RemoveFiles()
    {
        if (Directory.Exists(Files)) Directory.Delete(Files, recursive: true);
    }

    private static (string, string)[] Deployed((string Name, string Value)[] settings) =>
    [
        ("Turn__Port", "3478"), ("Turn__TlsPort", "5349"), ("Turn__PeerPolicy", "Default"),
        ("ASPNETCORE_URLS", "http://localhost:8083"), .. settings,
    ];
}

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace WebRtcIms.Bench;

/// <summary>A redis-server that stores nothing on disk.</summary>
internal sealed class RedisProcess : IDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(20);
    private readonly int _port = FreePort();
    private readonly Process _process;

    public RedisProcess()
    {
        _process = Process.Start(new ProcessStartInfo(
            "redis-server",
            ["--port", _port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--save", "", "--logfile", "/dev/null"]))!;
        var started = Stopwatch.StartNew();
        while (!Accepts())
        {
            if (started.Elapsed > StartLimit || _process.HasExited) throw new InvalidOperationException("redis-server did not start");
            Thread.Sleep(20);
        }
    }

    public string Address => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{_port}");

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    private bool Accepts()
    {
        try
        {
            using var connection = new TcpClient("127.0.0.1", _port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}

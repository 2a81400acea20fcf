using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Garnet;
using Garnet.server;
using Garnet.server.Auth.Settings;
using Microsoft.Extensions.Logging.Abstractions;

// A Redis server for one machine without Docker. It keeps everything in memory and forgets it when it stops.
var port = Environment.GetEnvironmentVariable("GARNET_PORT") ?? "6379";
var password = Environment.GetEnvironmentVariable("GARNET_PASSWORD");
if (!ushort.TryParse(port, CultureInfo.InvariantCulture, out var number) || number == 0)
{
    await Console.Error.WriteLineAsync($"Garnet cannot start. GARNET_PORT must be a port from 1 to 65535, not '{port}'.");
    return 1;
}

// Options instead of a command line: parsing one takes longer than the rest of the start, and every service waits for Redis.
using var server = new GarnetServer(
    new GarnetServerOptions(NullLogger.Instance)
    {
        EndPoints = [new IPEndPoint(IPAddress.Loopback, number)],
        AuthSettings = string.IsNullOrEmpty(password) ? null : new PasswordAuthenticationSettings(password),
        LogMemorySize = "64m",
        PageSize = "4m",
        IndexMemorySize = "8m",
        EnableLua = true,
        LuaOptions = new LuaOptions(NullLogger.Instance),
        QuietMode = true,
    },
    NullLoggerFactory.Instance);
try
{
    server.Start();
}
catch (SocketException error)
{
    await Console.Error.WriteLineAsync($"Garnet cannot start. It cannot listen on 127.0.0.1:{number}: {error.Message}.");
    return 1;
}

Console.WriteLine($"Garnet listens on 127.0.0.1:{number}.");

var stop = new TaskCompletionSource();
void Stop(PosixSignalContext signal)
{
    signal.Cancel = true;
    stop.TrySetResult();
}

using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
await stop.Task;
return 0;

using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

if (args is not [var uri, var user, var password])
    throw new ArgumentException("Usage: turn-client turn:host:port?transport=udp user password");

await using var client = await TurnClient.ConnectAsync(TurnUri.Parse(uri));
await using var allocation = await client.AllocateAsync(TurnCredential.LongTerm(user, password));
Console.WriteLine($"This client as the server sees it: {allocation.MappedAddress}");
Console.WriteLine($"Relayed transport address: {allocation.RelayedAddress}, for {allocation.Lifetime.TotalSeconds} s");

using Microsoft.Data.Sqlite;

namespace WebRtcIms.Abuse.Frame;

/// <summary>What an operator changes in the store of a WWSF of our own.</summary>
internal static class Store
{
    public static void LockForEver(string folder, string user) =>
        Execute(folder, "UPDATE AspNetUsers SET LockoutEnd = '9999-12-31 23:59:59.9999999+00:00' WHERE UserName = $user", user);

    public static void Delete(string folder, string user) => Execute(folder, "DELETE FROM AspNetUsers WHERE UserName = $user", user);

    private static void Execute(string folder, string text, string user)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(folder, "wwsf.db")};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        // The two texts above are constants.
#pragma warning disable CA2100
        command.CommandText = text;
#pragma warning restore CA2100
        command.Parameters.AddWithValue("$user", user);
        if (command.ExecuteNonQuery() != 1) throw new InvalidDataException($"{user} is not in the store");
    }
}

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;

/** The JDBC driver kept open: for each line on standard input, its answer on standard output. */
public class Reader {
    public static void main(String[] args) throws Exception {
        Properties properties = new Properties();
        properties.setProperty("duckdb.read_only", "true");
        BufferedReader asked = new BufferedReader(new InputStreamReader(System.in));
        try (Connection connection =
                DriverManager.getConnection("jdbc:duckdb:" + args[0], properties)) {
            while (asked.readLine() != null) {
                System.out.println(answer(connection, args));
                System.out.flush();
            }
        }
    }

    private static String answer(Connection connection, String[] args) {
        List<String> values = new ArrayList<>();
        for (int n = 1; n < args.length; n++) {
            try (Statement statement = connection.createStatement();
                    ResultSet rows = statement.executeQuery(args[n])) {
                rows.next();
                for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
                    values.add(rows.getString(i));
                }
            } catch (SQLException error) {
                return "error: " + error.getMessage().replaceAll("\\s+", " ");
            }
        }
        return String.join(",", values);
    }
}
